"""Go on where an interrupted run stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import numpy as np
import torch

from dffcli.core.types import Frame, FrameResult
from dffcli.errors import VideoDecodeError
from dffcli.run.journal import Journal, Record


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
        yield result if reason is None else replace(result, key_reason=reason, stretch=journal.resumed_stretch)
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
        result.stretch,
    )


def _result(record: Record, frame: Frame) -> FrameResult:
    displacement = None if record.displacement is None else torch.from_numpy(record.displacement)
    answer, reason = record.prediction, record.key_reason
    return FrameResult(frame, answer, reason, record.key_indices, displacement, stretch=record.stretch)
