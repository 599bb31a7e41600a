"""Write folders of YOLO text."""

from __future__ import annotations

import json
from pathlib import Path

from dffcli.formats.files import RecordSink, folder_sink
from dffcli.formats.record import Annotation, FrameRecord, Sequence
from dffcli.formats.tables import FileNames, FramesTable, write_classes
from dffcli.formats.target import Target
from dffcli.formats.yolo.layout import LABELS_FOLDER


def write(target: Target) -> RecordSink:
    """The sink of a folder."""
    return folder_sink(target, YoloWriter(target.sequence, with_scores=target.format == "yolo-results"))


class YoloWriter:
    """A folder of label files; a `formats.files.FolderWriter`.

    Lines are `class cx cy width height`, or `class x y x y ...` for outlines, as training expects them; with
    `with_scores` a confidence follows, and the track where there is one, as in files of predictions. Classes are
    positions in data.yaml and classes.txt.
    """

    def __init__(self, sequence: Sequence, *, with_scores: bool = False) -> None:
        """Describe what is to be written.

        Args:
            sequence: what is annotated.
            with_scores: append confidence and track to each line.

        Raises:
            OutputError: two pictures would have one label file.
        """
        self._sequence = sequence
        self._with_scores = with_scores
        self._positions = {item.id: place for place, item in enumerate(sequence.categories)}
        self._names = FileNames(sequence, suffix=".txt")
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
        write_classes(folder, self._sequence, has_scores=self._with_scores)
        self._frames = FramesTable(folder)

    def write(self, record: FrameRecord) -> None:
        """Write one frame; a frame without boxes has an empty file."""
        name = self._names.of(record)
        place = self._folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("".join(self._line(item, record.size) for item in record.objects), encoding="utf-8")
        if self._frames is not None:
            self._frames.add(record, f"{LABELS_FOLDER}/{name}")

    def _line(self, item: Annotation, size: tuple[int, int]) -> str:
        h, w = size
        if item.polygons:
            (polygon,) = item.polygons
            places = [min(max(value / (h if k % 2 else w), 0), 1) for k, value in enumerate(polygon)]
        else:
            x1, y1, x2, y2 = item.box
            x1, x2 = min(max(x1, 0), w), min(max(x2, 0), w)  # readers refuse shares beyond 1
            y1, y2 = min(max(y1, 0), h), min(max(y2, 0), h)
            places = [(x1 + x2) / 2 / w, (y1 + y2) / 2 / h, (x2 - x1) / w, (y2 - y1) / h]
        line = f"{self._positions[item.category_id]} " + " ".join(f"{place:.6f}" for place in places)
        if self._with_scores:
            line += f" {1.0 if item.score is None else item.score:.4f}"
            line += "" if item.track is None else f" {item.track}"
        return line + "\n"

    def finish(self) -> None:
        """Nothing is left to write."""

    def close(self) -> None:
        """Close the table of frames."""
        if self._frames is not None:
            self._frames.close()
