"""An interrupted run goes on as if it had never stopped."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import time
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from multiprocessing.connection import Connection
from pathlib import Path

import av
import numpy as np
import pytest

from dffcli.core.types import Detections, KeyReason, Prediction, SegmentationMap, Task
from dffcli.errors import InputError
from dffcli.files.stamp import Stamp
from dffcli.formats.sink import OutputOptions
from dffcli.run.config import RunConfig
from dffcli.run.journal import Journal, Record, journal_path, outputs_written
from dffcli.run.runner import Progress, annotate
from tests.video.media import make_video

IDENTITY = {"model": "some", "threshold": 0.5, "names": ["a", "b"]}
KILLS = 24


def segmentation(index: int) -> SegmentationMap:
    return SegmentationMap((np.add.outer(np.arange(9), np.arange(7)) * (index + 1) // 11 % 5).astype(np.uint8))


def detections(index: int) -> Detections:
    rng = np.random.default_rng(index)
    n = index % 4
    return Detections(
        rng.random((n, 4), np.float32),
        rng.random(n, np.float32),
        rng.integers(0, 80, n),
        rng.random((n, 5, 3)) > 0.5 if index % 2 else None,
        np.arange(n) if index % 3 else None,
    )


def records(count: int, *, interval: int = 4, kind: str = "segment") -> list[Record]:
    made: list[Record] = []
    for index in range(count):
        prediction: Prediction = segmentation(index) if kind == "segment" else detections(index)
        reason = (KeyReason.SUDDEN_CHANGE if index else KeyReason.FIRST) if index % interval == 0 else None
        flow = np.full((1, 2, 3, 4), index, np.float32) if reason is None else None
        made.append(Record(index, reason, (index - index % interval,), prediction, flow))
    return made


def assert_same(one: Record, other: Record) -> None:
    assert (one.index, one.key_reason, one.key_indices) == (other.index, other.key_reason, other.key_indices)
    arrays = ("category_ids", "boxes", "scores", "masks", "track_ids")
    pairs = [(getattr(one.prediction, name, None), getattr(other.prediction, name, None)) for name in arrays]
    for a, b in [*pairs, (one.displacement, other.displacement)]:
        assert (a is None) == (b is None)
        if a is not None and b is not None:
            assert a.dtype == b.dtype
            assert np.array_equal(a, b)


def write(path: Path, made: list[Record]) -> None:
    """A run that is killed after the last of these."""
    with suppress(InterruptedError), Journal(path, IDENTITY, resume=False, name="out") as journal:
        for record in made:
            journal.add(record)
        raise InterruptedError


@pytest.mark.parametrize("kind", ["segment", "detect"])
def test_what_was_kept_comes_back_exactly(tmp_path: Path, kind: str) -> None:
    made = records(14, kind=kind)
    write(tmp_path / "j", made)
    journal = Journal(tmp_path / "j", IDENTITY, resume=True, name="out")
    again = list(journal.replay())

    assert journal.resumed_index == journal.kept_frames == 12
    assert journal.resumed_reason is KeyReason.SUDDEN_CHANGE
    assert len(again) == 12
    for one, other in zip(made, again, strict=False):
        assert_same(one, other)


def test_a_part_of_a_source_goes_on_though_its_frames_do_not_begin_at_0(tmp_path: Path) -> None:
    made = [replace(record, index=record.index + 7) for record in records(14)]
    write(tmp_path / "j", made)
    journal = Journal(tmp_path / "j", IDENTITY, resume=True, name="out")

    assert journal.resumed_index == 19
    assert [record.index for record in journal.replay()] == list(range(7, 19))
    assert journal.notes == ("12 frames were taken from the interrupted run",)


def test_a_journal_cut_anywhere_resumes_at_a_whole_key_frame(tmp_path: Path) -> None:
    made = records(18)
    write(tmp_path / "j", made)
    data = (tmp_path / "j").read_bytes()
    reached = set()
    for length in range(0, len(data), 7):
        path = tmp_path / f"cut-{length}"
        path.write_bytes(data[:length])
        journal = Journal(path, IDENTITY, resume=True, name="out")
        kept = list(journal.replay())
        with journal:
            for record in made[journal.resumed_index :]:
                journal.add(replace(record))
            ended = Journal(path, IDENTITY, resume=True, name="out")
            again = list(ended.replay())

        assert len(kept) == journal.resumed_index
        assert journal.resumed_index % 4 == 0
        assert ended.resumed_index == 16
        for one, other in zip(made, again, strict=False):
            assert_same(one, other)
        reached.add(journal.resumed_index)
    assert reached >= {0, 4, 8, 12}


def test_a_changed_byte_is_never_believed(tmp_path: Path) -> None:
    made = records(10)
    write(tmp_path / "j", made)
    data = bytearray((tmp_path / "j").read_bytes())
    begin = data.index(b"\n") + 1
    rng = random.Random(0)
    for _ in range(60):
        place, bit = rng.randrange(begin, len(data)), 1 << rng.randrange(8)
        data[place] ^= bit
        (tmp_path / "changed").write_bytes(data)
        journal = Journal(tmp_path / "changed", IDENTITY, resume=True, name="out")
        for one, other in zip(made, journal.replay(), strict=False):
            assert_same(one, other)
        data[place] ^= bit


def test_other_settings_are_refused_and_named(tmp_path: Path) -> None:
    write(tmp_path / "j", records(6))

    with pytest.raises(
        InputError, match=r"out\.mp4: cannot resume: the interrupted run had threshold 0\.5, this one has 0\.7; take"
    ):
        Journal(tmp_path / "j", IDENTITY | {"threshold": 0.7}, resume=True, name="out.mp4")


def test_a_run_that_does_not_resume_forgets_the_old_one(tmp_path: Path) -> None:
    write(tmp_path / "j", records(6))
    Journal(tmp_path / "j", IDENTITY | {"threshold": 0.7}, resume=False, name="out")

    assert not (tmp_path / "j").exists()


def test_a_run_that_fails_at_once_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), Journal(tmp_path / "j", IDENTITY, resume=False, name="out") as journal:
        for record in records(4):
            journal.add(record)
        raise RuntimeError

    assert list(tmp_path.iterdir()) == []


def test_a_failure_says_how_to_go_on_and_a_success_leaves_nothing(tmp_path: Path) -> None:
    def run(journal: Journal, *, fails: bool) -> None:
        with journal:
            for record in records(10)[journal.resumed_index :]:
                journal.add(record)
            if fails:
                raise OSError("disk full")

    with pytest.raises(OSError, match="disk full") as caught:
        run(Journal(tmp_path / "j", IDENTITY, resume=False, name="out"), fails=True)
    assert caught.value.__notes__ == ["the same command with --resume goes on from frame 8"]
    run(Journal(tmp_path / "j", IDENTITY, resume=True, name="out"), fails=False)
    assert list(tmp_path.iterdir()) == []


def test_a_journal_that_cannot_be_written_does_not_stop_the_run(tmp_path: Path) -> None:
    with Journal(tmp_path / "gone" / "j", IDENTITY, resume=False, name="out") as journal:
        for record in records(10):
            journal.add(record)

    assert journal.kept_frames == 0


def interrupted(path: Path, *outputs: Path) -> None:
    """A run that is killed when these outputs have got their names."""
    journal = Journal(path, IDENTITY, resume=False, name="out")
    for record in records(6):
        journal.add(record)
    for output in outputs:
        part = output.with_name("part")
        part.write_text("result")
        stamp = Stamp.of(part)
        assert stamp is not None
        journal.announce(output, stamp)
        part.rename(output)
    with suppress(InterruptedError), journal:
        raise InterruptedError


def test_only_what_the_interrupted_run_had_written_may_be_replaced(tmp_path: Path) -> None:
    ours, changed, theirs = (tmp_path / name for name in ("ours.json", "changed.json", "theirs.json"))
    interrupted(tmp_path / "j", ours, changed)
    changed.write_text("changed by hand")
    theirs.write_text("theirs")

    assert outputs_written(tmp_path / "j", name="out") == [ours]
    journal = Journal(tmp_path / "j", IDENTITY, resume=True, name="out")
    assert journal.resumed_index == 4
    with suppress(InterruptedError), journal:  # killed again, before anything else gets its name
        for record in records(10)[4:]:
            journal.add(record)
        raise InterruptedError
    assert outputs_written(tmp_path / "j", name="out") == [ours]
    assert Journal(tmp_path / "j", IDENTITY, resume=True, name="out").resumed_index == 8


@pytest.mark.parametrize("content", [b"a diary\n", b'{"model": "some"}\n', b"dff-resumX"])
@pytest.mark.parametrize("resume", [False, True])
def test_a_file_that_only_has_a_journals_name_is_refused_and_kept(tmp_path: Path, content: bytes, resume: bool) -> None:
    (tmp_path / "j").write_bytes(content)
    with pytest.raises(InputError, match="dff did not write it; move it away"):
        Journal(tmp_path / "j", IDENTITY, resume=resume, name="out")
    with pytest.raises(InputError, match="dff did not write it"):
        outputs_written(tmp_path / "j", name="out")

    assert (tmp_path / "j").read_bytes() == content


def test_a_journal_waits_until_the_outputs_have_their_names(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j", IDENTITY, resume=False, name="out")
    journal.waits_for_names = True
    with journal:
        for record in records(6):
            journal.add(record)
    assert (tmp_path / "j").exists()
    journal.end(None)
    assert not (tmp_path / "j").exists()


def test_the_journal_lies_hidden_beside_the_output(tmp_path: Path) -> None:
    assert journal_path(str(tmp_path / "masks/")) == tmp_path / ".masks.dff-resume"


def command(folder: Path, *extra: str) -> list[str]:
    return [
        "segment", str(folder / "in.mp4"), "-o", str(folder / "out.json"), "-o", str(folder / "out.mp4"),
        "-o", str(folder / "masks"), "--model", "street-seg", "--weights", "random", "--max-interval", "4", *extra,
    ]  # fmt: skip


def child(arguments: list[str], report: Connection) -> None:
    """One run of the command in a process of its own, telling of every frame."""
    os.environ["OMP_NUM_THREADS"] = "1"
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 1)
    os.dup2(devnull, 2)
    import torch

    torch.set_num_threads(1)
    from dffcli.cli import console, main

    told = console.Console.advance

    def advance(self: object, result: object, progress: object) -> None:
        report.send(progress.frames)  # type: ignore[attr-defined]
        told(self, result, progress)  # type: ignore[arg-type]

    console.Console.advance = advance  # type: ignore[method-assign, assignment]
    report.send(-1 - main(arguments))


def contents(folder: Path) -> dict[str, bytes]:
    """Everything but the video, whose frames are compared instead."""
    paths = [folder / "out.json", *sorted((folder / "masks").iterdir())]
    return {path.name: path.read_bytes() for path in paths}


def video_frames(path: Path) -> tuple[list[Fraction], list[bytes]]:
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        time_base = Fraction(container.streams.video[0].time_base)
    return [frame.pts * time_base for frame in frames], [frame.to_ndarray(format="gray").tobytes() for frame in frames]


def test_settings_that_shape_no_result_may_change_when_a_run_goes_on(tmp_path: Path) -> None:
    clip = make_video(tmp_path / "clip.mp4", 14)

    def config(folder: str, **changes: object) -> RunConfig:
        (tmp_path / folder).mkdir(exist_ok=True)
        outputs = tuple(str(tmp_path / folder / name) for name in ("o.mp4", "o.json"))
        return RunConfig(str(clip), outputs, Task.SEGMENT, key_interval=3, **changes)  # type: ignore

    def stop(_result: object, progress: Progress) -> None:
        if progress.frames == 11:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        annotate(config("resumed"), on_frame=stop)
    others = {"max_pixels": 9_000_000, "output": OutputOptions(overwrite=True)}
    report = annotate(config("resumed", resume=True, **others))
    annotate(config("whole", **others))

    assert "9 frames were taken from the interrupted run" in report.notes
    assert (tmp_path / "resumed/o.json").read_bytes() == (tmp_path / "whole/o.json").read_bytes()
    assert video_frames(tmp_path / "resumed/o.mp4") == video_frames(tmp_path / "whole/o.mp4")


@pytest.fixture(scope="module")
def server() -> multiprocessing.context.ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["dffcli.run.runner", "dffcli.cli.annotate", "dffcli.models.street.segmenter_model"])
    return context


@pytest.mark.slow
def test_a_run_killed_anywhere_ends_in_the_same_bytes(
    tmp_path: Path, server: multiprocessing.context.ForkServerContext
) -> None:
    clip = make_video(tmp_path / "clip.mp4", 40, sound="aac")
    whole = tmp_path / "whole"
    attempts = kills = resumed = 0
    rng = random.Random(7)

    def folder_with_clip(name: str) -> Path:
        (tmp_path / name).mkdir()
        target = tmp_path / name / "in.mp4"
        target.write_bytes(clip.read_bytes())
        return tmp_path / name

    def run(folder: Path, *extra: str, stop_at: int | None = None, by: int = signal.SIGKILL) -> bool:
        """Whether the run came to its end; it is killed shortly after frame `stop_at`."""
        mine, its = server.Pipe()
        process = server.Process(target=child, args=(command(folder, *extra), its))
        process.start()
        its.close()
        last = 0
        try:
            while last >= 0:
                last = mine.recv()
                if stop_at is not None and last >= stop_at:
                    time.sleep(rng.random() * 0.05)
                    with suppress(ProcessLookupError):  # it was faster
                        os.kill(process.pid or 0, by)
                    stop_at = None
        except EOFError:
            pass
        process.join()
        assert last >= 0 or last == -1 or by != signal.SIGKILL
        return last == -1

    assert run(folder_with_clip("whole"))
    wanted, wanted_video = contents(whole), video_frames(whole / "out.mp4")
    while kills < KILLS:
        attempts += 1
        folder = folder_with_clip(f"attempt-{attempts}")
        extra: tuple[str, ...] = ()
        stop_at = 0
        while True:
            stop_at = rng.randrange(stop_at, 46)
            by = rng.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
            if run(folder, *extra, stop_at=stop_at, by=by):
                break
            kills += 1
            names = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
            complete = names - {"in.mp4"}
            assert complete <= {"out.mp4", "out.json", "masks"}, f"after a kill at frame {stop_at}"
            if complete == {"out.mp4", "out.json", "masks"}:  # the kill came when everything was done
                for journal in folder.glob(".*.dff-resume"):  # all that such a kill can leave
                    journal.unlink()
                break  # below it is held to the bytes of an undisturbed run
            resumed += (folder / ".out.json.dff-resume").exists()
            extra = ("--resume",)
        written = contents(folder)
        assert json.loads(written["out.json"])["images"][-1]["frame_id"] == 39
        assert written == wanted
        assert video_frames(folder / "out.mp4") == wanted_video
        assert [path.name for path in folder.iterdir() if path.name.endswith("dff-resume")] == []

    assert resumed >= KILLS // 2
