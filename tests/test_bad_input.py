"""What the command does with bad and odd input: exit code, the one line it says, and what is left on disk."""

from __future__ import annotations

import json
import os
import pickle
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from dffcli.cli import main
from tests.video.media import make_video, picture

IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
WEIGHTS = Path(__file__).parents[1] / "weights" / "street-seg.safetensors"
SOME = -1  # frames: how many depends on the version of the encoder
OUTPUTS = ["-o", "out.mp4", "-o", "out.json"]


@dataclass(frozen=True)
class Case:
    """One way of going wrong, or of being odd.

    Attributes:
        name: what is the matter.
        make: puts the input into the current folder and returns the arguments.
        code: the exit code.
        says: what stderr must contain (a literal piece of the line); nothing at all where empty.
        frames: how many frames both outputs hold; None where nothing may be left.
    """

    name: str
    make: Callable[[Path], list[str]]
    code: int
    says: str = ""
    frames: int | None = None


def video(**options: object) -> Callable[[Path], list[str]]:
    """A clip of five frames called `in.mp4`, unless told otherwise."""
    name = str(options.pop("name", "in.mp4"))
    options.setdefault("frames", 5)

    def make(folder: Path) -> list[str]:
        make_video(folder / name, **options)  # type: ignore[arg-type]
        return [name]

    return make


def content(name: str, data: bytes) -> Callable[[Path], list[str]]:
    def make(folder: Path) -> list[str]:
        (folder / name).write_bytes(data)
        return [name]

    return make


def changed(change: Callable[[bytes], bytes], **options: object) -> Callable[[Path], list[str]]:
    """A clip whose bytes were tampered with."""
    options = {"frames": 40, "options": {"crf": "1", "g": "10"}} | options

    def make(folder: Path) -> list[str]:
        [name] = video(**options)(folder)
        (folder / name).write_bytes(change((folder / name).read_bytes()))
        return [name]

    return make


def renamed(name: str, source: Callable[[Path], list[str]] | None = None) -> Callable[[Path], list[str]]:
    def make(folder: Path) -> list[str]:
        [old] = (source or video())(folder)
        os.rename(folder / old, os.fsencode(folder) + b"/" + os.fsencode(name))
        return [name]

    return make


def with_options(*arguments: str) -> Callable[[Path], list[str]]:
    """A good clip, and options that do not fit."""
    return lambda folder: [*video()(folder), *arguments]


def images(*sizes: tuple[int, int], damage: bool = False) -> Callable[[Path], list[str]]:
    def make(folder: Path) -> list[str]:
        (folder / "photos").mkdir()
        for index, size in enumerate(sizes):
            path = folder / "photos" / f"{index}.png"
            Image.fromarray(picture(index, size)).save(path)
        if damage:
            path.write_bytes(path.read_bytes()[:-40])
        return ["photos"]

    return make


def noise_in_the_middle(data: bytes) -> bytes:
    begin = data.index(b"mdat") + 2000
    return data[:begin] + bytes(range(1, 251)) + data[begin + 250 :]


def sound_only(folder: Path) -> list[str]:
    with av.open(str(folder / "song.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
        frame.sample_rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return ["song.mp4"]


def huge_avi(folder: Path) -> list[str]:
    """A few kilobytes whose header claims 16000 x 16000 pixels."""
    [name] = video(name="huge.avi", codec="ffv1", pix_fmt="yuv420p", time_base=Fraction(1, 25), ticks=range(5))(folder)
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data.replace(struct.pack("<ii", 64, 48), struct.pack("<ii", 16000, 16000)))
    return [name]


def huge_png(folder: Path) -> list[str]:
    """A PNG header that claims 16000 x 16000 pixels, and nothing behind it."""
    header = b"IHDR" + struct.pack(">IIBBBBB", 16000, 16000, 8, 2, 0, 0, 0)
    body = b"IDAT" + zlib.compress(bytes(100))
    chunks = [struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (header, body, b"IEND")]
    (folder / "huge.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    return ["huge.png"]


def joined(*sizes: tuple[int, int]) -> Callable[[Path], list[str]]:
    """Recordings one behind the other, the clock beginning again in each."""

    def make(folder: Path) -> list[str]:
        data = b"".join(make_video(folder / f"{i}.ts", 12, size=size).read_bytes() for i, size in enumerate(sizes))
        for i in range(len(sizes)):
            (folder / f"{i}.ts").unlink()
        (folder / "joined.ts").write_bytes(data)
        return ["joined.ts"]

    return make


def playlist(folder: Path) -> list[str]:
    make_video(folder / "other.ts", 30)
    (folder / "list.mp4").write_text("#EXTM3U\n#EXTINF:1,\nother.ts\n#EXT-X-ENDLIST\n")
    return ["list.mp4"]


def loop(folder: Path) -> list[str]:
    (folder / "a.mp4").symlink_to("b.mp4")
    (folder / "b.mp4").symlink_to("a.mp4")
    return ["a.mp4"]


def unreadable(folder: Path) -> list[str]:
    [name] = video()(folder)
    (folder / name).chmod(0)
    return [name]


def empty_folder(folder: Path) -> list[str]:
    (folder / "clip.mp4").mkdir()
    return ["clip.mp4"]


def clip_as_photo(folder: Path) -> list[str]:
    return renamed("clip.png")(folder)


def photo_as_clip(folder: Path) -> list[str]:
    Image.fromarray(picture(0)).save(folder / "a.png")
    os.rename(folder / "a.png", folder / "photo.mp4")
    return ["photo.mp4"]


def one_by_one(folder: Path) -> list[str]:
    return video(name="dot.mkv", size=(1, 1), codec="ffv1", pix_fmt="bgr0")(folder)


class Bomb:
    """Unpickling this makes a file."""

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return os.mkdir, ("exploded",)


def weights(make: Callable[[Path], None], name: str = "w.safetensors") -> Callable[[Path], list[str]]:
    def arguments(folder: Path) -> list[str]:
        make(folder / name)
        return [*video()(folder), "--weights", name]

    return arguments


def absurd_shapes(path: Path) -> None:
    header = json.dumps(
        {"stem.weight": {"dtype": "F32", "shape": [1 << 40, 1 << 20], "data_offsets": [0, 16]}}
    ).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(16))


def some_weights() -> bytes:
    return WEIGHTS.read_bytes()[:5000]


def another_network(path: Path) -> None:
    save_file({"a": torch.zeros(2)}, path)


def not_numbers(path: Path) -> None:
    tensors = load_file(WEIGHTS)
    name = next(name for name, tensor in tensors.items() if tensor.is_floating_point())
    save_file(tensors | {name: torch.full_like(tensors[name], float("nan"))}, path)


INPUTS = [
    Case("missing", lambda _: ["gone.mp4"], 1, "gone.mp4: no such file"),
    Case("zero bytes", content("in.mp4", b""), 1, "in.mp4: the file is empty (0 bytes)"),
    Case("text", content("in.mp4", b"just words\n" * 100), 1, "in.mp4: not a video, or in a format that cannot be"),
    Case("random bytes", content("in.mp4", np.random.default_rng(0).bytes(20_000)), 1, "in.mp4: "),
    Case("cut before its index", changed(lambda data: data[:-900]), 1, "in.mp4: no video in it"),
    Case(
        "cut after its index",
        changed(lambda data: data[: len(data) // 2], container_options={"movflags": "faststart"}),
        1, "frames before are written", SOME,
    ),
    Case("header overwritten", changed(lambda data: bytes(60) + data[60:]), 1, "in.mp4: "),
    Case("middle overwritten", changed(noise_in_the_middle), 1, "of its packets could not be decoded", SOME),
    Case("sound overwritten", changed(lambda data: data, sound="aac"), 0, "", 40),
    Case("sound only", sound_only, 1, "song.mp4: no video in it, only audio"),
    Case("empty folder named like a video", empty_folder, 1, "clip.mp4: no images in this folder"),
    Case("photo named like a video", photo_as_clip, 0, "", 1),
    Case("video named like a photo", clip_as_photo, 1, "clip.png: not an image"),
    Case("wrong suffix", renamed("clip.avi"), 0, "", 5),
    Case("no suffix", renamed("clip"), 0, "", 5),
    Case("one frame", video(frames=1), 0, "", 1),
    Case("no timestamps", video(name="raw.h264", format="h264"), 0, "", 5),
    Case("negative timestamps", video(ticks=[-1024, -512, 0, 512, 1024]), 0, "", 3),
    Case("late start", video(ticks=[128000 + 512 * i for i in range(5)]), 0, "", 5),
    Case("clock that begins again", joined((48, 64), (48, 64)), 0, "", 24),
    Case("size change", joined((48, 64), (64, 48)), 0, "", 24),
    Case("variable frame rate", video(ticks=[0, 1, 2, 700, 9000]), 0, "", 5),
    Case("gap of ten hours", video(ticks=[0, 512, 36000 * 12800]), 0, "", 3),
    Case("16000 x 16000 in a header", huge_avi, 1, "huge.avi: 16000 x 16000 pixels, more than --max-pixels"),
    Case("16000 x 16000 in a photo", huge_png, 1, "huge.png: 16000 x 16000 pixels, more than --max-pixels"),
    Case("more than --max-pixels", with_options("--max-pixels", "100"), 1, "in.mp4: 64 x 48 pixels, more than"),
    Case("very wide", video(size=(16, 1000)), 0, "", 5),
    Case("very high", video(size=(1000, 16)), 0, "", 5),
    Case("1 x 1", one_by_one, 0, "", 5),
    Case("odd size", video(size=(49, 65), pix_fmt="yuv444p"), 0, "", 5),
    Case("10 bit", video(pix_fmt="yuv420p10le"), 0, "", 5),
    Case("12 bit", video(name="in.mkv", codec="ffv1", pix_fmt="yuv420p12le"), 0, "", 5),
    Case("4:4:4", video(pix_fmt="yuv444p"), 0, "", 5),
    Case("alpha", video(name="in.mkv", codec="ffv1", pix_fmt="bgra"), 0, "", 5),
    Case("HDR", video(name="in.mkv", pix_fmt="yuv420p10le", matrix=9, transfer=16), 0, "", 5),
    Case("interlaced", video(options={"x264-params": "interlaced=1"}), 0, "", 5),
    Case("rotated", video(rotation=(90, False, False)), 0, "", 5),
    Case("mirrored", video(rotation=(0, True, False)), 0, "", 5),
    Case("name that is not text", renamed(b"caf\xe9.mp4".decode("utf-8", "surrogateescape")), 0, "", 5),
    Case("name in two lines", renamed("a\nb.mp4"), 0, "", 5),
    Case("name like an option", lambda folder: ["--", *renamed("-x.mp4")(folder)], 0, "", 5),
    Case("name like a pattern", renamed("a[1]*%03d.mp4"), 0, "", 5),
    pytest.param(
        Case("unreadable", unreadable, 1, "in.mp4: permission denied"),
        marks=pytest.mark.skipif(IS_ROOT, reason="root reads everything"),
    ),
    Case("links in a circle", loop, 1, "a.mp4: too many levels of symbolic links"),
    Case("playlist of other files", playlist, 1, "list.mp4: not a video"),
    Case("pattern without a match", lambda _: ["*.png"], 1, "*.png: nothing matches"),
    Case("photos", images((48, 64), (48, 64)), 0, "", 2),
    Case("photos of two sizes", images((48, 64), (20, 20)), 1, "1.png: expected 64 x 48 pixels like 0.png, got"),
    Case("damaged photo", images((48, 64), (48, 64), damage=True), 1, "1.png: this image is damaged", 1),
    Case("no such camera", lambda _: ["99"], 1, "camera 99: there is none"),
    Case("nobody at the address", lambda _: ["http://127.0.0.1:9/a.mp4"], 1, "cannot be opened: connection refused"),
]  # fmt: skip

OPTIONS = [
    Case("unknown model", with_options("--model", "street-sog"), 1, "did you mean street-seg"),
    Case("model of another task", with_options("--model", "fcos_resnet50_fpn"), 1, "is for `dff detect`"),
    Case("unknown class", with_options("--classes", "unicorn"), 1, "unicorn"),
    Case("unknown flow", with_options("--flow", "rapids"), 1, "rapids"),
    Case("unknown device", with_options("--device", "abacus"), 1, "device 'abacus'"),
    Case("interval of nothing", with_options("--key-interval", "0"), 2, "--key-interval"),
    Case("opacity out of range", with_options("--opacity", "1.5"), 2, "--opacity"),
    Case("time that is none", with_options("--start", "noon"), 2, "expected seconds"),
    Case("end before start", with_options("--start", "2", "--end", "1"), 2, "--start before --end"),
    Case("start after the end", with_options("--start", "60"), 1, "in.mp4: no frame between 60 s and the end"),
    Case("weights that are missing", with_options("--weights", "gone.pth"), 1, "gone.pth"),
    Case("weights that are text", weights(lambda path: path.write_text("words") and None), 1, "w.safetensors"),
    Case("weights that are cut", weights(lambda path: path.write_bytes(some_weights()) and None), 1, "w."),
    Case("weights with absurd shapes", weights(absurd_shapes), 1, "w.safetensors"),
    Case("weights that are not numbers", weights(not_numbers), 1, "w.safetensors"),
    Case("weights of another network", weights(another_network), 1, "w.safetensors"),
    Case(
        "weights that run code",
        weights(lambda path: path.write_bytes(pickle.dumps(Bomb())) and None, "w.pth"), 1, "w.pth",
    ),
]  # fmt: skip


def run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    chosen = [] if "--weights" in arguments else ["--weights", "random"]
    code = main(["segment", "--quiet", "--model", "street-seg", *chosen, *arguments])
    return code, capsys.readouterr().err


def listing(folder: Path) -> set[bytes]:
    return set(os.listdir(os.fsencode(folder)))


def frames_of(video_path: Path, json_path: Path) -> set[int]:
    """How many frames both outputs hold."""
    with av.open(str(video_path)) as container:
        return {sum(1 for _ in container.decode(video=0)), len(json.loads(json_path.read_text())["images"])}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    return tmp_path


@pytest.mark.parametrize("case", INPUTS + OPTIONS, ids=lambda case: case.name)
def test_every_input_ends_well_or_in_one_clear_line(
    case: Case, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = case.make(folder)
    before = listing(folder)
    code, said = run([*OUTPUTS, *arguments], capsys)

    assert code == case.code, said
    assert case.says in said
    if code == 0:
        assert said == ""
    if code == 1:
        assert said.startswith("error: ")
        assert "Traceback" not in said
        assert "a\nb" in str(arguments) or said.count("\n") == 1
    if case.frames is None:
        assert listing(folder) == before
    else:
        assert listing(folder) == before | {b"out.mp4", b"out.json"}
        [frames] = frames_of(folder / "out.mp4", folder / "out.json")
        assert frames == case.frames or (case.frames == SOME and 0 < frames < 40)


def refused(arguments: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Run and see that nothing on disk has changed; what was said."""
    before = {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}
    code, said = run(arguments, capsys)

    assert code == 1
    assert said.count("\n") == 1
    assert {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")} == before
    return said


def test_an_output_that_exists_is_kept(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    video()(folder)
    (folder / "out.mp4").write_text("precious")

    assert "out.mp4: exists" in refused(["in.mp4", "-o", "out.mp4"], folder, capsys)


@pytest.mark.parametrize("name", ["in.mp4", "./in.mp4", "link.mp4"])
def test_the_input_is_never_the_output(folder: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    video()(folder)
    (folder / "link.mp4").symlink_to("in.mp4")

    assert "is the input" in refused(["in.mp4", "-o", name, "--overwrite"], folder, capsys)


def test_an_output_named_twice_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    video()(folder)

    assert "named twice" in refused(["in.mp4", "-o", "a.mp4", "-o", "./a.mp4"], folder, capsys)


def test_an_output_of_no_known_kind_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    video()(folder)

    assert "out.doc" in refused(["in.mp4", "-o", "out.doc"], folder, capsys)


def test_a_folder_in_the_way_of_a_video_is_kept(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    video()(folder)
    (folder / "out.mp4").mkdir()
    (folder / "out.mp4" / "precious.txt").write_text("precious")

    assert "out.mp4" in refused(["in.mp4", "-o", "out.mp4"], folder, capsys)


def test_a_file_in_the_way_of_a_folder_is_kept(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    video()(folder)
    (folder / "file").write_text("precious")

    assert "cannot be written: not a directory" in refused(["in.mp4", "-o", "file/out.mp4"], folder, capsys)


def test_output_links_in_a_circle_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    video()(folder)
    (folder / "x.mp4").symlink_to("y.mp4")
    (folder / "y.mp4").symlink_to("x.mp4")

    assert "too many levels of symbolic links" in refused(["in.mp4", "-o", "x.mp4"], folder, capsys)


def test_a_device_is_not_replaced(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    video()(folder)
    (folder / "null.mp4").symlink_to("/dev/null")

    assert "null.mp4" in refused(["in.mp4", "-o", "null.mp4", "--overwrite"], folder, capsys)
    assert Path("/dev/null").is_char_device()


@pytest.mark.skipif(IS_ROOT, reason="root writes everywhere")
def test_a_folder_without_permission_is_one_clear_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    video()(folder)
    (folder / "locked").mkdir(mode=0o500)

    assert "permission denied" in refused(["in.mp4", "-o", "locked/out.mp4"], folder, capsys)


@pytest.fixture
def small_disk(folder: Path) -> Path:
    """One megabyte."""
    place = folder / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.skipif(not IS_ROOT or sys.platform != "linux", reason="only root can mount a small disk")
@pytest.mark.parametrize("name", ["out.mp4", "out.json", "masks/"])
def test_a_full_disk_is_one_clear_line_and_the_run_can_go_on(
    folder: Path, small_disk: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (40, 96, 128, 3), np.uint8)
    make_video(folder / "in.mkv", 40, size=(96, 128), images=list(noise), codec="ffv1", pix_fmt="bgr0")
    (small_disk / "filler").write_bytes(bytes((1 << 20) - 40_000))
    arguments = ["in.mkv", "-o", f"disk/{name}", "-o", "safe.json", "--crf", "30"]
    torch.manual_seed(0)
    code, said = run(arguments, capsys)

    assert code == 1
    assert "cannot be written: no space left on device" in said
    assert said.count("\n") == 1
    assert "the same command with --resume goes on from frame" in said
    assert set(os.listdir(small_disk)) == {"filler", f".{name.strip('/')}.dff-resume"}
    if (folder / "safe.json").exists():  # it was complete before the other one failed
        assert len(json.loads((folder / "safe.json").read_text())["images"]) == 40
    (small_disk / "filler").unlink()
    assert run([*arguments, "--resume"], capsys) == (0, "")
    assert set(os.listdir(small_disk)) == {name.strip("/")}
    assert len(json.loads((folder / "safe.json").read_text())["images"]) == 40


def test_code_in_a_checkpoint_never_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "w.pth").write_bytes(pickle.dumps(Bomb()))
    video()(folder)
    run(["in.mp4", "-o", "out.mp4", "--weights", "w.pth"], capsys)

    assert not (folder / "exploded").exists()


def test_there_are_at_least_forty_cases() -> None:
    assert len(INPUTS) + len(OPTIONS) >= 40


def table() -> str:
    """The cases in Markdown, as docs/files.md shows them."""
    lines = ["| input | exit code | stderr has | frames in both outputs |", "|---|---|---|---|"]
    for entry in INPUTS + OPTIONS:
        case = entry if isinstance(entry, Case) else entry.values[0]
        left = {None: "none, no file is left", SOME: "those before"}.get(case.frames, str(case.frames))
        lines.append(f"| {case.name} | {case.code} | {f'`{case.says}`' if case.says else 'nothing'} | {left} |")
    return "\n".join(lines)


def test_the_table_in_the_docs_is_that_of_the_tests() -> None:
    text = (Path(__file__).parents[1] / "docs" / "files.md").read_text()
    assert text.endswith(f"\n{table()}\n"), "run: uv run python -m tests.test_bad_input"


if __name__ == "__main__":
    page = Path(__file__).parents[1] / "docs" / "files.md"
    before, mark, _ = page.read_text().partition("`uv run python -m tests.test_bad_input`).\n")
    page.write_text(f"{before}{mark}\n{table()}\n")
