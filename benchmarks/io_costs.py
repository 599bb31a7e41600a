"""What reading and writing cost a frame: decoding, colour, luma, encoding, copying results to the journal.

    uv run python benchmarks/io_costs.py [DATA]

Takes the 720p clip 05_default_juggle.mp4 of the data folder (default ../shared/data), brings it to 640 x 360 and
1920 x 1080, and measures CPU time (all threads of the process), which other work on the machine disturbs least. Writes
benchmarks/results/io_costs.md.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from time import perf_counter, process_time

import av
import cv2
import numpy as np

from dffcli._runtime import settle
from dffcli.core.reduce import reduced
from dffcli.core.types import SegmentationMap, SourceInfo, UInt8Array
from dffcli.flow.grey import SMOOTH
from dffcli.run.journal import Record, _encode
from dffcli.video.picture import PictureConverter
from dffcli.video.reader import open_source
from dffcli.video.writer import VideoWriter

CLIP = "clips/05_default_juggle.mp4"
RESULT = Path(__file__).parent / "results" / "io_costs.md"
FRAMES = 24
SIZES = ((360, 640), (1080, 1920))
FLOW_SIZE = (117, 208)  # of the picture that DIS searches in, for these shapes
INPUT_SIZE = (312, 552)  # of the bundled segmenter's input


def timed(work: Callable[[], object], count: int) -> str:
    """CPU and wall milliseconds a frame."""
    wall, cpu = perf_counter(), process_time()
    work()
    return f"{1000 * (process_time() - cpu) / count:.2f} / {1000 * (perf_counter() - wall) / count:.1f}"


def exhaust(items: Iterable[object]) -> None:
    for _ in items:
        pass


def pictures(data: Path, size: tuple[int, int]) -> list[UInt8Array]:
    with open_source(str(data / CLIP)) as source:
        found = []
        for frame in source:
            found.append(np.asarray(cv2.resize(frame.image, size[::-1], interpolation=cv2.INTER_AREA), np.uint8))
            if len(found) == FRAMES:
                break
    return found


def write(path: Path, images: list[UInt8Array], **options: object) -> None:
    info = SourceInfo("bench", images[0].shape[:2], Fraction(1, 24), average_rate=Fraction(24))  # type: ignore[arg-type]
    with VideoWriter(path, info=info, **options) as writer:  # type: ignore[arg-type]
        for index, image in enumerate(images):
            writer.write(image, Fraction(index, 24))


def decode_only(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        return list(container.decode(stream))


def rows(data: Path, size: tuple[int, int], folder: Path) -> dict[str, str]:
    images = pictures(data, size)
    path = folder / f"{size[0]}.mp4"
    write(path, images)
    decoded = decode_only(path)
    converter = PictureConverter()
    labels = [SegmentationMap(image[..., 0] // 24) for image in images]
    smooth = [SegmentationMap(cv2.medianBlur(label.category_ids, 15)) for label in labels]

    def read() -> None:
        with open_source(str(path)) as source:
            exhaust(source)

    greys = [np.ascontiguousarray(image[..., 1]) for image in images]
    found = {
        "decode (H.264)": timed(lambda: decode_only(path), FRAMES),
        "to RGB (swscale)": timed(lambda: [converter.rgb(frame) for frame in decoded], FRAMES),
        "luma plane": timed(lambda: [converter.luma(frame) for frame in decoded], FRAMES),
        "swscale to grey, for comparison": timed(lambda: [f.to_ndarray(format="gray") for f in decoded], FRAMES),
        "all of reading": timed(read, FRAMES),
        "luma to 208 x 117, for flow": timed(
            lambda: [reduced(grey, FLOW_SIZE, smooth=SMOOTH) for grey in greys], FRAMES
        ),
        "luma to 208 x 117 in one step (OpenCV), for comparison": timed(
            lambda: [cv2.resize(grey, FLOW_SIZE[::-1], interpolation=cv2.INTER_AREA) for grey in greys], FRAMES
        ),
        "RGB to 552 x 312, for street-seg": timed(lambda: [reduced(i, INPUT_SIZE) for i in images], FRAMES),
        "RGB to 552 x 312 in one step (OpenCV), for comparison": timed(
            lambda: [cv2.resize(i, INPUT_SIZE[::-1], interpolation=cv2.INTER_AREA) for i in images], FRAMES
        ),
        "RGB to I420 (OpenCV)": timed(lambda: [cv2.cvtColor(i, cv2.COLOR_RGB2YUV_I420) for i in images], FRAMES),
        "RGB to I420 (swscale), for comparison": timed(
            lambda: [av.VideoFrame.from_ndarray(i, format="rgb24").reformat(format="yuv420p") for i in images], FRAMES
        ),
        "a label map into the journal": timed(
            lambda: [_encode(Record(1, None, (0,), label)) for label in smooth], FRAMES
        ),
    }
    for preset in ("ultrafast", "superfast", "veryfast", "faster", "medium"):
        target = folder / "out.mp4"
        cost = timed(lambda target=target, preset=preset: write(target, images, preset=preset), FRAMES)  # type: ignore[misc]
        found[f"write mp4, {preset}"] = f"{cost} ({target.stat().st_size // 1024} KiB)"
    for threads in (1, 2):
        found[f"write mp4, veryfast, {threads} threads"] = timed(
            lambda threads=threads: write(folder / "out.mp4", images, threads=threads),  # type: ignore[misc]
            FRAMES,
        )
    found["write webm (VP9, realtime)"] = timed(lambda: write(folder / "out.webm", images), FRAMES)
    return found


def main() -> None:
    settle()
    data = Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/data")
    with tempfile.TemporaryDirectory() as folder:
        columns = [rows(data, size, Path(folder)) for size in SIZES]
    lines = [
        "# What reading and writing cost",
        "",
        f"CPU / wall milliseconds a frame, {FRAMES} frames, 2-core AVX-512 CPU shared with other work: read the",
        "ratios and the CPU column.",
        "",
        "| step | " + " | ".join(f"{w} x {h}" for h, w in SIZES) + " |",
        "|---|" + "---|" * len(SIZES),
        *(f"| {name} | " + " | ".join(column[name] for column in columns) + " |" for name in columns[0]),
    ]
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
