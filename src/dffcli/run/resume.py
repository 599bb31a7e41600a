"""Go on where an interrupted run stopped."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dffcli import __version__
from dffcli.core.types import Frame, FrameResult, SourceInfo
from dffcli.errors import VideoDecodeError
from dffcli.run.journal import Journal, Record


def run_identity(info: SourceInfo, settings: dict[str, Any], *, files: Iterable[Path]) -> dict[str, Any]:
    """What two runs must agree in to give the same results, in the user's words.

    Args:
        info: the source.
        settings: model, weights and every option that shapes a result.
        files: what must not have changed in between: the source, a checkpoint.
    """
    identity: dict[str, Any] = {"dff version": __version__, "source": info.path and os.path.realpath(info.path)}
    for file in files:
        about = file.stat()
        identity[f"size of {file.name}"] = about.st_size
        identity[f"time of {file.name}"] = about.st_mtime_ns
    return identity | settings


def continued(
    frames: Iterable[Frame], run: Callable[[Iterable[Frame]], Iterator[FrameResult]], *, journal: Journal
) -> Iterator[FrameResult]:
    """The results of the journal, then those of the run from its last key frame on.

    Args:
        frames: all frames of the source.
        run: the engine, which begins with a key frame.
        journal: of the interrupted run, or an empty one.

    Raises:
        VideoDecodeError: the source has fewer frames than the interrupted run saw.
    """
    rest = iter(frames)
    for record in journal.replay():
        frame = next(rest, None)
        if frame is None:
            raise VideoDecodeError(f"cannot resume: the interrupted run had come to frame {journal.resumed_index}")
        yield _result(record, frame)
    reason = journal.resumed_reason
    for result in run(rest):
        yield result if reason is None else replace(result, key_reason=reason)
        reason = None


def record_of(result: FrameResult, *, with_displacement: bool) -> Record:
    """What the journal keeps of a result.

    Args:
        result: of one frame.
        with_displacement: its flow is needed again (for tracking).
    """
    displacement = result.displacement if with_displacement else None
    return Record(
        result.frame.index,
        result.key_reason,
        result.key_indices,
        result.prediction,
        None if displacement is None else displacement.cpu().numpy().astype(np.float32, copy=False),
        result.schedule_memory,
    )


def _result(record: Record, frame: Frame) -> FrameResult:
    displacement = None if record.displacement is None else torch.from_numpy(record.displacement)
    return FrameResult(frame, record.prediction, record.key_reason, record.key_indices, displacement)
