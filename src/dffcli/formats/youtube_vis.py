"""YouTube-VIS JSON: one annotation a track, with a mask (or null) for every frame of the video."""

from __future__ import annotations

from typing import IO, Any

from dffcli.core.types import Detections
from dffcli.errors import OutputError
from dffcli.formats.coco import VIDEO_ID, coco_categories, file_info
from dffcli.formats.json_stream import JsonArray, compact_json
from dffcli.formats.record import FrameRecord, Sequence
from dffcli.formats.rle import encode_mask, rle_area
from dffcli.formats.track_spool import TrackSpool


class YouTubeVisWriter:
    """The whole file; an `outputs.files.TextWriter`."""

    def __init__(self, sequence: Sequence) -> None:
        """Describe what is to be written.

        Args:
            sequence: what is annotated.
        """
        self._sequence = sequence
        self._frames = 0

    def begin(self, file: IO[bytes], spool: IO[bytes]) -> None:
        """Write the head; tracks are as long as the video and come last."""
        self._file = file
        self._spool = TrackSpool(spool)
        file.write(b'{\n"info":' + compact_json(file_info(self._sequence)) + b',\n"categories":')
        file.write(compact_json(coco_categories(self._sequence)) + b',\n"videos":[')
        h, w = self._sequence.info.size
        video = {"id": VIDEO_ID, "name": self._sequence.info.name, "width": w, "height": h}
        file.write(compact_json(video)[:-1] + b',"file_names":')
        self._names = JsonArray(file)

    def write(self, record: FrameRecord) -> None:
        """Write one frame."""
        found = record.prediction
        if not isinstance(found, Detections) or (found.masks is None and len(found)):
            raise OutputError("YouTube-VIS holds instance masks: use maskrcnn_resnet50_fpn_v2, or write .json")
        if found.track_ids is None and len(found):
            raise OutputError("YouTube-VIS holds one entry a track: add --track")
        while self._frames <= record.index:
            self._names.append(record.name or f"{self._frames:06d}.jpg")
            self._frames += 1
        if found.masks is None or found.track_ids is None:
            return
        for row in range(len(found)):
            rle = encode_mask(found.masks[row])
            x1, y1, x2, y2 = (float(side) for side in found.boxes[row])
            box = [round(side, 2) for side in (x1, y1, x2 - x1, y2 - y1)]
            score = round(float(found.scores[row]), 4)
            entry = [record.index, int(found.category_ids[row]), score, box, rle_area(rle), rle]
            self._spool.add(int(found.track_ids[row]), entry)

    def finish(self) -> None:
        """Write the tracks."""
        self._names.close()
        self._file.write(f',"length":{self._frames}}}],\n"annotations":'.encode())
        annotations = JsonArray(self._file)
        h, w = self._sequence.info.size
        for track, entries in self._spool.tracks():
            segmentations: list[Any] = [None] * self._frames
            boxes, areas = list(segmentations), list(segmentations)
            for index, _, _, box, area, rle in entries:
                segmentations[index], boxes[index], areas[index] = rle, box, area
            annotations.append(
                {
                    "id": track + 1,
                    "video_id": VIDEO_ID,
                    "category_id": entries[0][1],
                    "iscrowd": 0,
                    "width": w,
                    "height": h,
                    "length": self._frames,
                    "score": round(sum(entry[2] for entry in entries) / len(entries), 4),
                    "segmentations": segmentations,
                    "bboxes": boxes,
                    "areas": areas,
                }
            )
        annotations.close()
        self._file.write(b"\n}\n")
