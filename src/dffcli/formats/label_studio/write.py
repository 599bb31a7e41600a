"""Write Label Studio's video regions.

Label Studio draws boxes between two entries of a sequence, so there are entries only where a line between their
neighbours would be off, and the last one before a gap is not enabled.
"""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise
from typing import IO, Any
from xml.sax.saxutils import quoteattr

from dffcli.formats.facts import file_info
from dffcli.formats.files import RecordSink, file_sink
from dffcli.formats.json_stream import JsonArray, compact_json
from dffcli.formats.record import Annotation, FrameRecord, Sequence
from dffcli.formats.sparse import key_places, stretches
from dffcli.formats.target import Target
from dffcli.formats.track_spool import TrackSpool

Entry = list[Any]
"""Frame, time, box in percent, category, score, box in pixels, rotation, whether it is a key frame."""


def write(target: Target) -> RecordSink:
    """The sink of a file."""
    return file_sink(target, LabelStudioWriter(target))


class LabelStudioWriter:
    """The whole file; a `formats.files.TextWriter`."""

    def __init__(self, target: Target) -> None:
        """Describe what is to be written.

        Args:
            target: what is to be written, and how.
        """
        self._target = target
        self._sequence = target.sequence
        self._tolerance = target.options.keyframe_tolerance
        self._indices: list[int] = []
        self._end = Fraction(0)
        self._untracked = 0

    def begin(self, file: IO[bytes], spool: IO[bytes]) -> None:
        """Keep the files; regions need the number of frames and come last."""
        self._file = file
        self._spool = TrackSpool(spool)

    def write(self, record: FrameRecord) -> None:
        """Write one frame."""
        self._indices.append(record.index)
        self._end = record.pts_seconds + 1 / self._sequence.rate
        for item in record.objects:
            if item.track is None:
                self._untracked -= 1  # below zero: never the number of a track
            entry = [
                record.index + 1,
                round(float(record.pts_seconds), 6),
                [round(side, 4) for side in _percent(item, record.size)],
                item.category_id,
                None if item.score is None else round(item.score, 4),
                list(item.box),
                round(item.rotation, 3),
                record.key_reason is not None,
            ]
            self._spool.add(self._untracked if item.track is None else item.track, entry)

    def finish(self) -> None:
        """Write the file."""
        run = self._sequence.run
        h, w = self._sequence.info.size
        classes = [item.name for item in self._sequence.categories]
        frames = self._indices[-1] + 1 if self._indices else 0
        meta = file_info(self._sequence) | {"width": w, "height": h, "frames": frames, "classes": classes}
        if self._indices and self._indices[0]:
            meta["first_frame"] = self._indices[0]
        following = {one + 1: after + 1 for one, after in pairwise(self._indices)}
        data = {"video": self._target.options.media_url + self._sequence.info.name}
        head: dict[str, Any] = {"data": data | {"fps": round(float(self._sequence.rate), 6)}, "meta": meta}
        self._file.write(b"[" + compact_json(head)[:-1] + b',"predictions":[{"model_version":')
        self._file.write(compact_json("unknown" if run is None else f"{run.model} ({run.weights})"))
        self._file.write(b',"result":')
        regions = JsonArray(self._file)
        names = self._sequence.names
        for track, entries in self._spool.tracks():
            label = names.get(entries[0][3], str(entries[0][3]))
            region: dict[str, Any] = {
                "id": f"track{track}" if track >= 0 else f"box{-track}",
                "type": "videorectangle",
                "from_name": "box",
                "to_name": "video",
            }
            scores = [entry[4] for entry in entries if entry[4] is not None]
            if scores:
                region["score"] = round(sum(scores) / len(scores), 4)
            region["value"] = {
                "framesCount": frames,
                "duration": round(float(self._end), 6),
                "labels": [label],
                "sequence": self._entries(entries, following),
            }
            regions.append(region)
        regions.close()
        self._file.write(b"}]}]\n")
        self._target.write_beside(".config.xml", labelling_config(self._sequence))

    def _entries(self, entries: list[Entry], following: dict[int, int]) -> list[dict[str, Any]]:
        """The entries of a track that have to be said."""
        sequence = []
        frames = [entry[0] for entry in entries]
        for start, end in stretches(frames, following):
            stretch = entries[start:end]
            forced = [
                entry[7] or (place > 0 and entry[6] != stretch[place - 1][6]) for place, entry in enumerate(stretch)
            ]
            boxes = [entry[5] for entry in stretch]
            kept = key_places(frames[start:end], boxes, forced, tolerance=self._tolerance)
            for place in sorted(kept):
                frame, time, (x, y, width, height), _, _, _, rotation, _ = stretch[place]
                box = {"x": x, "y": y, "width": width, "height": height, "rotation": rotation}
                sequence.append({"frame": frame, "enabled": place + 1 < len(stretch), **box, "time": time})
        return sequence


def labelling_config(sequence: Sequence) -> str:
    """The labelling interface that a project needs to show the file."""
    labels = "".join(
        f'    <Label value={quoteattr(item.name)} background="#{"{:02x}{:02x}{:02x}".format(*item.color)}"/>\n'
        for item in sequence.categories
    )
    return (
        '<View>\n  <Labels name="videoLabels" toName="video" allowEmpty="true">\n'
        f'{labels}  </Labels>\n  <Video name="video" value="$video" framerate="$fps"/>\n'
        '  <VideoRectangle name="box" toName="video"/>\n</View>\n'
    )


def _percent(item: Annotation, size: tuple[int, int]) -> tuple[float, float, float, float]:
    """A box in percent of the picture; one that is turned about its middle, as one that is turned about its corner."""
    h, w = size
    x1, y1, x2, y2 = item.box
    width, height = x2 - x1, y2 - y1
    if item.rotation:
        cosine, sine = math.cos(math.radians(item.rotation)), math.sin(math.radians(item.rotation))
        x1 = (x1 + x2) / 2 - width / 2 * cosine + height / 2 * sine
        y1 = (y1 + y2) / 2 - width / 2 * sine - height / 2 * cosine
    return 100 * x1 / w, 100 * y1 / h, 100 * width / w, 100 * height / h
