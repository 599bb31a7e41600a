"""YOLO text: a file a frame, a line a box, all sides as shares of the picture."""

from __future__ import annotations

import json
from pathlib import Path

from dffcli.core.types import Detections
from dffcli.errors import OutputError
from dffcli.formats.record import FrameRecord, Sequence
from dffcli.formats.tables import FramesTable, file_stem, write_classes

LABELS_FOLDER = "labels"


class YoloWriter:
    """A folder of label files; an `outputs.files.FolderWriter`.

    Lines are `class cx cy width height`, as training expects them; with `with_scores` a confidence follows, and the
    track where there is one, as in files of predictions. Classes are positions in data.yaml and classes.txt.
    """

    def __init__(self, sequence: Sequence, *, with_scores: bool = False) -> None:
        """Describe what is to be written.

        Args:
            sequence: what is annotated.
            with_scores: append confidence and track to each line.
        """
        self._sequence = sequence
        self._with_scores = with_scores
        self._positions = {item.id: place for place, item in enumerate(sequence.categories)}
        self._frames: FramesTable | None = None

    def begin(self, folder: Path) -> None:
        """Write the class tables."""
        self._folder = folder / LABELS_FOLDER
        self._folder.mkdir()
        names = [item.name for item in self._sequence.categories]
        (folder / "classes.txt").write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
        listed = "".join(f"  {place}: {json.dumps(name, ensure_ascii=False)}\n" for place, name in enumerate(names))
        yaml = f"path: .\ntrain: images\nval: images\nnc: {len(names)}\nnames:\n{listed}"
        (folder / "data.yaml").write_text(yaml, encoding="utf-8")
        write_classes(folder, self._sequence)
        self._frames = FramesTable(folder)

    def write(self, record: FrameRecord) -> None:
        """Write one frame; a frame without boxes has an empty file."""
        found = record.prediction
        if not isinstance(found, Detections):
            raise OutputError("YOLO text holds boxes, and this is a category for every pixel: write .json or masks")
        h, w = record.size
        lines = []
        for row in range(len(found)):
            x1, y1, x2, y2 = (float(side) for side in found.boxes[row])
            x1, x2 = min(max(x1, 0), w), min(max(x2, 0), w)  # readers refuse shares beyond 1
            y1, y2 = min(max(y1, 0), h), min(max(y2, 0), h)
            sides = ((x1 + x2) / 2 / w, (y1 + y2) / 2 / h, (x2 - x1) / w, (y2 - y1) / h)
            line = f"{self._positions[int(found.category_ids[row])]} " + " ".join(f"{side:.6f}" for side in sides)
            if self._with_scores:
                line += f" {found.scores[row]:.4f}"
                line += "" if found.track_ids is None else f" {found.track_ids[row]}"
            lines.append(line + "\n")
        name = file_stem(record) + ".txt"
        (self._folder / name).write_text("".join(lines), encoding="utf-8")
        if self._frames is not None:
            self._frames.add(record, f"{LABELS_FOLDER}/{name}")

    def finish(self) -> None:
        """Nothing is left to write."""

    def close(self) -> None:
        """Close the table of frames."""
        if self._frames is not None:
            self._frames.close()
