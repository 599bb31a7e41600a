"""Label Studio JSON: one task with a prediction whose regions are the tracks of a video.

Frames count from 1, sides are percent of the picture. Label Studio draws boxes between two entries of a sequence, so
every frame has its entry, and the last one before a gap is not enabled.
"""

from __future__ import annotations

from fractions import Fraction
from typing import IO, Any

from dffcli.core.types import Detections
from dffcli.errors import OutputError
from dffcli.formats.coco import file_info
from dffcli.formats.json_stream import JsonArray, compact_json
from dffcli.formats.record import FrameRecord, Sequence
from dffcli.formats.track_spool import TrackSpool


class LabelStudioWriter:
    """The whole file; an `outputs.files.TextWriter`."""

    def __init__(self, sequence: Sequence) -> None:
        """Describe what is to be written.

        Args:
            sequence: what is annotated.
        """
        self._sequence = sequence
        self._frames = 0
        self._end = Fraction(0)
        self._untracked = 0

    def begin(self, file: IO[bytes], spool: IO[bytes]) -> None:
        """Keep the files; regions need the number of frames and come last."""
        self._file = file
        self._spool = TrackSpool(spool)

    def write(self, record: FrameRecord) -> None:
        """Write one frame."""
        found = record.prediction
        if not isinstance(found, Detections):
            raise OutputError("Label Studio's videos hold boxes, and this is a category for every pixel: write .json")
        self._frames = record.index + 1
        self._end = record.pts_seconds + 1 / self._sequence.rate
        h, w = record.size
        for row in range(len(found)):
            if found.track_ids is None:
                self._untracked -= 1  # below zero: never the number of a track
            x1, y1, x2, y2 = (float(side) for side in found.boxes[row])
            box = [100 * x1 / w, 100 * y1 / h, 100 * (x2 - x1) / w, 100 * (y2 - y1) / h]
            entry = [
                record.index + 1,
                round(float(record.pts_seconds), 6),
                [round(side, 4) for side in box],
                int(found.category_ids[row]),
                round(float(found.scores[row]), 4),
            ]
            self._spool.add(self._untracked if found.track_ids is None else int(found.track_ids[row]), entry)

    def finish(self) -> None:
        """Write the file."""
        run = self._sequence.run
        h, w = self._sequence.info.size
        classes = [item.name for item in self._sequence.categories]
        meta = file_info(self._sequence) | {"width": w, "height": h, "frames": self._frames, "classes": classes}
        head: dict[str, Any] = {"data": {"video": self._sequence.info.name}, "meta": meta}
        self._file.write(b"[" + compact_json(head)[:-1] + b',"predictions":[{"model_version":')
        self._file.write(compact_json("unknown" if run is None else f"{run.model} ({run.weights})"))
        self._file.write(b',"result":')
        regions = JsonArray(self._file)
        names = self._sequence.names
        for track, entries in self._spool.tracks():
            label = names.get(entries[0][3], str(entries[0][3]))
            region = {
                "id": f"track{track}" if track >= 0 else f"box{-track}",
                "type": "videorectangle",
                "from_name": "box",
                "to_name": "video",
                "score": round(sum(entry[4] for entry in entries) / len(entries), 4),
                "value": {
                    "framesCount": self._frames,
                    "duration": round(float(self._end), 6),
                    "labels": [label],
                    "sequence": _sequence(entries),
                },
            }
            regions.append(region)
        regions.close()
        self._file.write(b"}]}]\n")


def _sequence(entries: list[Any]) -> list[dict[str, Any]]:
    sequence = []
    for place, (frame, time, (x, y, width, height), _, _) in enumerate(entries):
        goes_on = place + 1 < len(entries) and entries[place + 1][0] == frame + 1
        box = {"x": x, "y": y, "width": width, "height": height, "rotation": 0}
        sequence.append({"frame": frame, "enabled": goes_on, **box, "time": time})
    return sequence
