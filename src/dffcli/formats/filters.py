"""What a user wants to keep of annotations: the same choice in every format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches

import numpy as np

from dffcli.errors import DataError
from dffcli.formats.account import Account
from dffcli.formats.fit import describe
from dffcli.formats.palette import NO_CATEGORY
from dffcli.formats.reading import Annotated
from dffcli.formats.record import FrameRecord, Sequence


@dataclass(frozen=True, slots=True)
class Filters:
    """What is kept.

    Attributes:
        classes: names of the classes to keep; all if empty.
        score_threshold: objects with a lower score are left out; those without a score stay.
    """

    classes: tuple[str, ...] = ()
    score_threshold: float = 0.0

    def applied(self, found: Annotated, account: Account) -> tuple[Sequence, Iterator[FrameRecord]]:
        """The sequence and its records without what is left out, which is noted.

        Raises:
            DataError: a class is none of the sequence's.
        """
        sequence = found.sequence
        names = sequence.names
        known = set(names.values())
        for name in self.classes:
            if name not in known:
                near = get_close_matches(name, known, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(known)[:20])}"
                raise DataError(f"class {name!r} is not in the file: {hint}")
        wanted = {number for number, name in names.items() if not self.classes or name in self.classes}
        if self.classes:
            kept = tuple(item for item in sequence.categories if item.id in wanted)
            sequence = replace(sequence, categories=kept)
        records: Iterator[FrameRecord] = (self._filtered(record, wanted, names, account) for record in found.records)
        return sequence, records

    def _filtered(self, record: FrameRecord, wanted: set[int], names: dict[int, str], account: Account) -> FrameRecord:
        if record.labels is not None:
            if not self.classes:
                return record
            table = np.full(256, NO_CATEGORY, np.uint8)
            table[sorted(wanted)] = sorted(wanted)
            return replace(record, labels=table[record.labels])
        objects = []
        for item in record.objects:
            if item.category_id not in wanted:
                account.leave_out("classes", "objects of other classes", describe(item, record, names))
            elif item.score is not None and item.score < self.score_threshold:
                what = f"objects with a score below {self.score_threshold:g}"
                account.leave_out("score-threshold", what, describe(item, record, names))
            else:
                objects.append(item)
        return record if len(objects) == len(record.objects) else replace(record, objects=tuple(objects))
