"""The results of a run that is not finished, kept beside its output so that it can go on.

A journal holds what the networks said of every frame, in order. To go on, the source is read again and the outputs are
written again from the journal, without running the networks, up to the last key frame in it; from there the run goes on
as if it had never stopped. So every format resumes, and to the same bytes.

    line 1    MAGIC and the identity of the run, as JSON
    then      one record a frame: length, CRC-32, frame index (little-endian uint32), 1 where a run can
              go on, at most key frames (uint8), then
              a zlib stream of a JSON line (reason, keys, arrays) and the arrays' bytes
    between   records with WRITTEN for an index: an output that is about to get its final name, as JSON

So what an interrupted run had finished is known from what somebody else has put there.
"""

from __future__ import annotations

import json
import os
import stat
import struct
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import astuple, dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np
from numpy.typing import NDArray

from dffcli.core.types import Detections, KeyReason, Prediction, SegmentationMap, Stretch
from dffcli.errors import InputError
from dffcli.files import system
from dffcli.files.leftovers import JOURNAL_ENDING
from dffcli.files.stamp import Stamp, hidden_beside

MAGIC = b"dff-resume "  # a file of that name which begins otherwise is not ours
WRITTEN = 0xFFFFFFFF  # stands for the index of a record that is no frame
SECONDS_BETWEEN_SYNCS = 5.0  # what a power loss may cost, at most; a killed process loses nothing complete
_HEAD = struct.Struct("<IIIB")
_DETECTION_ARRAYS = ("boxes", "scores", "category_ids", "track_ids", "key_rows")


@dataclass(frozen=True, slots=True)
class Record:
    """One frame's result without its picture.

    Attributes:
        index: of the frame.
        key_reason, key_indices: as in `FrameResult`.
        prediction: boxes or masks.
        displacement: `[1, 2, h, w]` float32, where it was kept.
        schedule_memory, stretch: as in `FrameResult`.
    """

    index: int
    key_reason: KeyReason | None
    key_indices: tuple[int, ...]
    prediction: Prediction
    displacement: NDArray[np.float32] | None = None
    schedule_memory: tuple[float, ...] | None = ()
    stretch: Stretch | None = None


def journal_path(output: str) -> Path:
    """Where the journal of a run with this first output lies."""
    return hidden_beside(Path(os.path.realpath(output)), JOURNAL_ENDING)


def outputs_written(path: Path, *, name: str) -> list[Path]:
    """The final places that the interrupted run had filled and nobody has changed since.

    Args:
        path: of a journal; there may be none.
        name: the output, for messages.

    Raises:
        InputError: what is there is no journal.
    """
    file = _open_old(path, name=name)
    if file is None:
        return []
    with file:
        file.readline()
        return [place for place, stamp in _written(file) if _is_still(place, stamp)]


class Journal:
    """The journal of one run, being read first and written after.

    It appears on disk with the second key frame, so that a run that fails at once leaves nothing.

    Attributes:
        resumed_index: the key frame at which the run goes on; 0 where it begins.
        resumed_reason: why that was one.
        resumed_memory: what the schedule had learned by then.
        resumed_stretch: what the stretch that it ends cost.
        kept_frames: frames that need not be computed again if the run stops now.
        waits_for_names: it is not over when its context is.
    """

    def __init__(self, path: Path | None, identity: dict[str, Any], *, resume: bool, name: str) -> None:
        """Look for what an interrupted run has left.

        Args:
            path: where it lies; None keeps nothing.
            identity: what a run must agree in to be the same run; JSON can hold it.
            resume: go on where the journal ends; otherwise an old journal is forgotten.
            name: the output, for messages.

        Raises:
            InputError: there is a journal, but of a run with other settings; or a file of its name that is none.
        """
        self._path = path
        self._name = name
        self._line = MAGIC + json.dumps(identity, sort_keys=True).encode() + b"\n"
        self._file: IO[bytes] | None = None
        self._pending: list[bytes] = []
        self._synced = time.monotonic()
        self._is_broken = path is None
        self._written: dict[Path, Stamp] = {}
        self._end = len(self._line)
        self._is_continued = self._is_over = self.waits_for_names = False
        self._first: int | None = None  # index of the first frame: that of a part is its own in the source
        self.resumed_index = 0
        self.resumed_reason: KeyReason | None = None
        self.resumed_memory: tuple[float, ...] = ()
        self.resumed_stretch: Stretch | None = None
        if resume:
            self._find_end(identity, name=name)
        else:
            self._forget_old()
        self.kept_frames = self.resumed_index

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop writing; where the outputs have yet to get their names, whoever gives them calls `end`."""
        if error is not None or not self.waits_for_names:
            self.end(error)

    def end(self, error: BaseException | None) -> None:
        """Stop writing. The journal of a finished run is removed; that of a failed one is pointed at."""
        if self._is_over:
            return
        self._is_over = True
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
        if error is None:
            self._forget()
        elif self.kept_frames or self._file is not None:
            error.add_note(f"the same command with --resume goes on from frame {self.kept_frames}")

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know."""
        if not self.resumed_index:
            return ()
        return (f"{self.resumed_index - (self._first or 0)} frames were taken from the interrupted run",)

    def replay(self) -> Iterator[Record]:
        """The frames before `resumed_index`."""
        if not self.resumed_index or self._path is None:
            return
        with self._path.open("rb") as file:
            file.seek(len(self._line))
            while file.tell() < self._end:
                found = _read(file)
                if found is None:
                    return
                if found[0] != WRITTEN:
                    yield _decode(*found)

    def add(self, record: Record) -> None:
        """Keep one frame; frames reach the disk a key interval at a time.

        A journal that cannot be written (a full disk) ends there: the run itself goes on.
        """
        if self._is_broken:
            return
        self._pending.append(_encode(record))
        self._first = record.index if self._first is None else self._first
        if _goes_on_from(record) and record.index > self._first:
            try:
                self._write_interval()
                self.kept_frames = record.index
            except OSError:
                self._is_broken = True

    def announce(self, target: Path, stamp: Stamp) -> None:
        """Keep in mind that an output is about to get its final name; safe on disk before it does."""
        if self._is_broken:
            return
        try:
            file = self._opened()
            file.write(_encode_written(target, stamp))
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            self._is_broken = True

    def _forget_old(self) -> None:
        """Remove what an interrupted run has left, if that is what lies there."""
        if self._path is None:
            return
        file = _open_old(self._path, name=self._name)
        if file is not None:
            file.close()
            self._forget()

    def _forget(self) -> None:
        if self._path is not None:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)

    def _write_interval(self) -> None:
        file = self._opened()
        file.write(b"".join(self._pending))
        file.flush()
        self._pending = []
        if time.monotonic() - self._synced > SECONDS_BETWEEN_SYNCS:
            os.fsync(file.fileno())
            self._synced = time.monotonic()

    def _opened(self) -> IO[bytes]:
        """The file, at its end; what an interrupted run had noted behind the last whole key frame is gone."""
        if self._file is None:
            if self._path is None:
                raise FileNotFoundError
            self._file = self._path.open("r+b" if self._is_continued else "xb")
            with suppress(OSError):  # a file system without locks
                system.lock(self._file.fileno(), self._path)
            self._file.write(self._line)
            self._file.seek(self._end)
            for target, stamp in self._written.items():
                self._file.write(_encode_written(target, stamp))
            self._file.truncate()
        return self._file

    def _find_end(self, identity: dict[str, Any], *, name: str) -> None:
        """Find the last key frame that is whole."""
        file = None if self._path is None else _open_old(self._path, name=name)
        if file is None:
            return
        self._is_continued = True
        with file:
            line = file.readline()
            if line != self._line:
                _refuse(line, identity, name=name)
                return
            self._written = {place: stamp for place, stamp in _written(file) if _is_still(place, stamp)}
            file.seek(len(line))
            place = file.tell()
            expected: int | None = None
            while (found := _read(file)) is not None:
                index, goes_on, payload = found
                if index == WRITTEN:
                    continue
                if expected is not None and index != expected:
                    return
                self._first = index if expected is None else self._first
                if goes_on and expected is not None:
                    self._end, self.resumed_index = place, index
                    record = _decode(index, goes_on, payload)
                    self.resumed_reason, self.resumed_stretch = record.key_reason, record.stretch
                    self.resumed_memory = record.schedule_memory or ()
                place, expected = file.tell(), index + 1


def _open_old(path: Path, *, name: str) -> IO[bytes] | None:
    """The journal that lies there, or None; one that was cut in its first line never began.

    Raises:
        InputError: it is not ours, or cannot be read.
    """
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            raise _not_ours(path, name=name)
        file = path.open("rb")
        line = file.read(len(MAGIC))
        file.seek(0)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {(error.strerror or str(error)).lower()}") from error
    if not MAGIC.startswith(line):
        file.close()
        raise _not_ours(path, name=name)
    return file


def _not_ours(path: Path, *, name: str) -> InputError:
    return InputError(f"{name}: {path} lies where its journal goes, and dff did not write it; move it away")


def _written(file: IO[bytes]) -> Iterator[tuple[Path, Stamp]]:
    """The outputs noted in what follows; records of frames are skipped unread."""
    while len(head := file.read(_HEAD.size)) == _HEAD.size:
        length, checksum, index, _ = _HEAD.unpack(head)
        if index != WRITTEN:
            file.seek(length, os.SEEK_CUR)
            continue
        payload = file.read(length)
        if zlib.crc32(payload, index) != checksum:
            return
        target, *stamp = json.loads(payload)
        yield Path(target), Stamp(*stamp)


def _is_still(place: Path, stamp: Stamp) -> bool:
    """Whether the output that was noted has its final name, and nobody else's file or change."""
    return Stamp.of(place) == stamp


def _encode_written(target: Path, stamp: Stamp) -> bytes:
    payload = json.dumps([os.fspath(target), *stamp]).encode()
    return _HEAD.pack(len(payload), zlib.crc32(payload, WRITTEN), WRITTEN, False) + payload


def _refuse(line: bytes, identity: dict[str, Any], *, name: str) -> None:
    """Say in what the runs differ; a line that is no identity at all is a journal that never began.

    Raises:
        InputError: they differ.
    """
    try:
        old = json.loads(line.removeprefix(MAGIC))
    except ValueError:
        return
    if not isinstance(old, dict):
        return
    new = json.loads(json.dumps(identity))
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key):
            raise InputError(
                f"{name}: cannot resume: the interrupted run had {key} {old.get(key)!r}, this one has "
                f"{new.get(key)!r}; take the same settings, or begin again without --resume"
            )


def _read(file: IO[bytes]) -> tuple[int, bool, bytes] | None:
    """The next record that is whole: frame index, whether it is a key frame, payload."""
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    length, checksum, index, is_key = _HEAD.unpack(head)
    payload = file.read(length)
    if len(payload) < length or zlib.crc32(payload, index) != checksum:
        return None
    return index, bool(is_key), payload


def _encode(record: Record) -> bytes:
    arrays = _arrays(record)
    about = {
        "reason": record.key_reason,
        "keys": record.key_indices,
        "memory": record.schedule_memory,
        "stretch": None if record.stretch is None else astuple(record.stretch),
        "arrays": [[name, array.dtype.str, array.shape] for name, array in arrays.items()],
    }
    parts = [json.dumps(about).encode(), b"\n", *(np.ascontiguousarray(array).tobytes() for array in arrays.values())]
    payload = zlib.compress(b"".join(parts), level=1)
    checksum = zlib.crc32(payload, record.index)
    return _HEAD.pack(len(payload), checksum, record.index, _goes_on_from(record)) + payload


def _goes_on_from(record: Record) -> bool:
    """Whether a run can go on from this frame."""
    return record.key_reason is not None and record.schedule_memory is not None


def _arrays(record: Record) -> dict[str, NDArray[Any]]:
    prediction = record.prediction
    if isinstance(prediction, SegmentationMap):
        flat = prediction.category_ids.ravel()
        starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
        runs = np.diff(starts, append=len(flat)).astype(np.uint32)
        arrays: dict[str, NDArray[Any]] = {"size": np.array(prediction.category_ids.shape), "runs": runs}
        arrays["values"] = flat[starts]
    else:
        arrays = {name: array for name in _DETECTION_ARRAYS if (array := getattr(prediction, name)) is not None}
        if prediction.masks is not None:
            arrays["mask_shape"] = np.array(prediction.masks.shape)
            arrays["mask_bits"] = np.packbits(prediction.masks)
    if record.displacement is not None:
        arrays["displacement"] = record.displacement
    return arrays


def _decode(index: int, _goes_on: bool, payload: bytes) -> Record:
    line, _, data = zlib.decompress(payload).partition(b"\n")
    about = json.loads(line)
    arrays: dict[str, NDArray[Any]] = {}
    for name, dtype, shape in about["arrays"]:
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        arrays[name] = np.frombuffer(data[:size], dtype).reshape(shape).copy()
        data = data[size:]
    prediction: Prediction
    if "runs" in arrays:
        prediction = SegmentationMap(np.repeat(arrays["values"], arrays["runs"]).reshape(arrays["size"]))
    else:
        masks = None
        if "mask_bits" in arrays:
            shape = tuple(arrays["mask_shape"])
            masks = np.unpackbits(arrays["mask_bits"], count=int(np.prod(shape))).reshape(shape).astype(bool)
        prediction = Detections(
            arrays["boxes"],
            arrays["scores"],
            arrays["category_ids"],
            masks,
            arrays.get("track_ids"),
            arrays.get("key_rows"),
        )
    return Record(
        index,
        None if about["reason"] is None else KeyReason(about["reason"]),
        tuple(about["keys"]),
        prediction,
        arrays.get("displacement"),
        None if about["memory"] is None else tuple(about["memory"]),
        None if about["stretch"] is None else Stretch(*about["stretch"]),
    )
