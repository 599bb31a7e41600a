"""Field files through reader and writer, beside what ffprobe says of them.

    uv run python benchmarks/video_files.py FOLDER [FOLDER ...] [--to .mkv] [--json FILE]

Every file is read, its pictures are written again with its sound, and the result is probed by ffprobe. A row says how
many frames there were and how many are there now, how far a frame's time moved at most, how far the sound moved against
the picture, the exit code that `dff` would give, and what was said. Needs ffprobe.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

from common import save, table
from dffcli.errors import DFFError, VideoDecodeError
from dffcli.video.reader import open_source
from dffcli.video.writer import VideoWriter

VIDEO, SOUND = "v:0", "a:0"
NO_INPUTS = frozenset((".txt", ".ass", ".srt", ".py", ".sh", ".md", ".jpg", ".json", ""))


def probed(path: Path, stream: str, *, index: int | None = None) -> list[float]:
    """Times of a stream's pictures, or of its packets for sound, as ffprobe gives them."""
    what = "frame" if stream == VIDEO else "packet"
    chosen = stream if index is None else str(index)
    field = "best_effort_timestamp_time" if what == "frame" else "pts_time"
    command = ["ffprobe", "-v", "quiet", "-select_streams", chosen, "-show_entries", f"{what}={field}"]
    ran = subprocess.run([*command, "-of", "json", f"file:{path}"], capture_output=True, text=True, timeout=120)
    try:
        found = json.loads(ran.stdout or "{}").get(f"{what}s", [])
    except ValueError:
        return []
    return [float(entry[field]) for entry in found if entry.get(field, "N/A") != "N/A"]


def tracks(path: Path) -> dict[str, int]:
    """How many streams of each kind there are."""
    command = ["ffprobe", "-v", "quiet", "-show_entries", "stream=codec_type", "-of", "csv=p=0", f"file:{path}"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60)
    kinds = [line.strip(",") for line in ran.stdout.split() if line]
    return {kind: kinds.count(kind) for kind in sorted(set(kinds))}


def run(path: Path, target: Path) -> dict[str, Any]:
    """Read one file, write it again, compare."""
    row: dict[str, Any] = {"file": path.name, "exit": 0, "notes": [], "frames": 0}
    times: list[Fraction] = []
    index = None
    began = time.monotonic()
    writer = None
    try:
        with open_source(str(path)) as source:
            feed = source.tracks()
            index = None if feed is None else feed.picture
            try:
                with VideoWriter(target, info=source.info, tracks=feed, preset="ultrafast") as writer:
                    try:
                        for frame in source:
                            times.append(frame.pts_seconds)
                            writer.write(frame.image, frame.pts_seconds, frame.duration_seconds)
                    except VideoDecodeError as error:
                        if not times:
                            raise
                        row |= {"exit": 1, "error": str(error).replace(f"{path.parent}/", "")}
            finally:
                row["notes"] = [*source.notes.lines(), *(writer.notes if writer else [])]
    except DFFError as error:
        row |= {"exit": 1, "error": str(error).replace(f"{path.parent}/", "")}
    except Exception as error:
        row |= {"exit": "traceback", "error": repr(error)}
    row["seconds"] = round(time.monotonic() - began, 2)
    row["frames"] = len(times)
    theirs = probed(path, VIDEO, index=index)
    row["ffprobe_frames"] = len(theirs)
    zero = 0.0
    if times and target.exists():
        ours = probed(target, VIDEO)
        row["written_frames"] = len(ours)
        zero = float(times[0]) - ours[0] if ours else 0.0
        row["written_error"] = max((abs(float(a) - zero - b) for a, b in zip(times, ours, strict=False)), default=None)
        if len(theirs) == len(times):
            row["read_error"] = max(abs(float(a) - b) for a, b in zip(times, theirs, strict=True))
        row["tracks"], row["written_tracks"] = tracks(path), tracks(target)
        before, after = probed(path, SOUND), probed(target, SOUND)
        row["sound"] = f"{len(after)}/{len(before)}"
        if before and after and theirs:
            row["sound_offset"] = round((after[0] - ours[0]) - (before[0] - float(times[0])), 4)
            row["sound_offset_end"] = round((after[-1] - ours[-1]) - (before[-1] - float(times[-1])), 4)
    return row


HEADER = ("file", "frames / ffprobe", "written", "read off, ms", "written off, ms", "sound", "moved, ms", "at end, ms")
HEADER += ("exit", "said")


def cells(row: dict[str, Any]) -> tuple[object, ...]:
    """A row of the table."""

    def ms(name: str) -> str:
        value = row.get(name)
        return "" if value is None else f"{1000 * value:.1f}"

    said = "; ".join([*([row["error"]] if "error" in row else []), *row["notes"]])
    return (
        row["file"],
        f"{row['frames']} / {row['ffprobe_frames']}",
        row.get("written_frames", 0),
        ms("read_error"),
        ms("written_error"),
        row.get("sound", ""),
        ms("sound_offset"),
        ms("sound_offset_end"),
        row["exit"],
        said.replace("|", "/"),
    )


def main() -> None:
    """Run all files and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--to", default=".mp4", help="suffix of what is written")
    parser.add_argument("--json", type=Path, help="keep the rows there; rows that are there already are not run again")
    options = parser.parse_args()
    files = {
        path.name: path
        for folder in options.folders
        for path in ([folder] if folder.is_file() else folder.rglob("*"))
        if path.is_file() and path.suffix.lower() not in NO_INPUTS and path.name[0] != "."
    }
    rows = json.loads(options.json.read_text()) if options.json and options.json.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        for name, path in sorted(files.items()):
            if name in rows:
                continue
            target = Path(folder) / f"out{options.to}"
            target.unlink(missing_ok=True)
            rows[name] = run(path, target)
            print(name, rows[name]["exit"], file=sys.stderr, flush=True)
            if options.json:
                options.json.write_text(json.dumps(rows, indent=1) + "\n")
    lines = [cells(rows[name]) for name in sorted(files)]
    odd = [row for row in rows.values() if row["exit"] not in (0, 1)]
    codes = [row["exit"] for row in rows.values()]
    summary = (
        f"{len(lines)} files, written to {options.to}: {codes.count(0)} end with exit code 0, {codes.count(1)} with 1, "
        f"{len(odd)} with a traceback. Times are judged by ffprobe: how far those that were read lie from its own, how "
        "far the written ones lie from those, how far the sound's first and last packet moved against the first and "
        "last picture."
    )
    save(
        f"video_files{options.to.replace('.', '_')}",
        title="Field files in and out",
        text=f"{summary}\n\n{table(HEADER, lines)}",
        command=f"benchmarks/video_files.py FOLDER ... --to {options.to}",
    )
    sys.exit(bool(odd))


if __name__ == "__main__":
    main()
