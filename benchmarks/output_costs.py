"""What it costs to draw and write a frame, by size: the costs that hide on propagated frames, with their alternatives.

Real label maps and pictures (CamVid), enlarged. Medians of CPU milliseconds a frame (so that a busy machine
does not count); bytes a frame where a file is written.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import supervision as sv
from PIL import Image

from common import parser, save, table
from dffcli.categories import CAMVID, COCO
from dffcli.core.types import Detections, SegmentationMap, SourceInfo, Task
from dffcli.formats.palette import category_palette
from dffcli.formats.png import encode_png
from dffcli.formats.record import FrameRecord, Sequence, objects_of
from dffcli.formats.registry import open_record_sink
from dffcli.formats.rle import encode_label_map, encode_mask
from dffcli.formats.sink import OutputOptions, RunFacts
from dffcli.render.overlay import Overlay
from dffcli.video.writer import VideoWriter

SIZES = ((432, 768), (720, 1280), (1080, 1920))
BOXES = 12
FRAMES = 8
ROUNDS = 3
RUN = RunFacts("benchmark", "none")


def milliseconds(do: Callable[[int], object]) -> float:
    """Median CPU time of one frame, after a first round that warms up."""
    taken = []
    for turn in range(ROUNDS + 1):
        for index in range(FRAMES):
            started = time.process_time()
            do(index)
            if turn:
                taken.append(time.process_time() - started)
    return 1000 * median(taken)


class Material:
    """Pictures, label maps and boxes of one size."""

    def __init__(self, data: Path, size: tuple[int, int]) -> None:
        h, w = size
        self.size = size
        names = sorted(path.name for path in (data / "camvid" / "val").iterdir())[::12][:FRAMES]
        self.images, self.labels = [], []
        for name in names:
            image = cv2.cvtColor(cv2.imread(str(data / "camvid" / "val" / name)), cv2.COLOR_BGR2RGB)
            self.images.append(cv2.resize(image, (w, h), interpolation=cv2.INTER_CUBIC))
            with Image.open((data / "camvid" / "valannot" / name).with_suffix(".png")) as labels:
                self.labels.append(cv2.resize(np.array(labels), (w, h), interpolation=cv2.INTER_NEAREST))
        random = np.random.default_rng(0)
        self.found = []
        for _ in range(FRAMES):
            corners = random.uniform(0, 0.8, (BOXES, 2)) * (w, h)
            boxes = np.concatenate((corners, corners + random.uniform(0.05, 0.2, (BOXES, 2)) * (w, h)), axis=1)
            scores = np.sort(random.uniform(0.5, 1, BOXES))[::-1].astype(np.float32)
            self.found.append(Detections(boxes.astype(np.float32), scores, random.integers(1, 9, BOXES)))


def overlays(material: Material) -> dict[str, float]:
    segment, boxes = Overlay(CAMVID, opacity=0.5), Overlay(COCO, opacity=0.5)
    colors = category_palette(CAMVID)
    pick = sv.ColorPalette.DEFAULT

    def with_numpy(index: int) -> object:
        return cv2.addWeighted(colors[material.labels[index]], 0.5, material.images[index], 0.5, 0)

    def with_supervision(index: int) -> object:
        one = material.found[index]
        found = sv.Detections(xyxy=one.boxes, confidence=one.scores, class_id=one.category_ids.astype(int))
        scene = np.ascontiguousarray(material.images[index][..., ::-1])
        scene = sv.BoxAnnotator(pick).annotate(scene, found)
        words = [f"{category} {score:.0%}" for category, score in zip(one.category_ids, one.scores, strict=True)]
        scene = sv.LabelAnnotator(pick, smart_position=True).annotate(scene, found, labels=words)
        return np.ascontiguousarray(scene[..., ::-1])

    return {
        "label map drawn, with legend (shipped)": milliseconds(
            lambda index: segment.draw(material.images[index], SegmentationMap(material.labels[index]))
        ),
        "the same with numpy's table lookup": milliseconds(with_numpy),
        f"{BOXES} boxes drawn, with labels (shipped)": milliseconds(
            lambda index: boxes.draw(material.images[index], material.found[index])
        ),
        "the same with supervision's annotators": milliseconds(with_supervision),
    }


def masks(material: Material) -> tuple[dict[str, float], dict[str, int]]:
    palette = category_palette(CAMVID)

    def with_pil(index: int, *, level: int) -> bytes:
        image, buffer = Image.fromarray(material.labels[index]), io.BytesIO()
        image.putpalette(palette.tobytes())
        image.save(buffer, "PNG", compress_level=level)
        return buffer.getvalue()

    def with_cv2(index: int) -> bytes:
        is_good, data = cv2.imencode(".png", material.labels[index], [cv2.IMWRITE_PNG_COMPRESSION, 1])
        if not is_good:
            raise RuntimeError("OpenCV wrote no PNG")
        return bytes(data)

    ways: dict[str, Callable[[int], bytes]] = {
        "PNG mask: rows as differences, zlib runs (shipped)": lambda index: encode_png(
            material.labels[index], palette=palette
        ),
        "PNG mask: PIL level 1": lambda index: with_pil(index, level=1),
        "PNG mask: PIL level 6": lambda index: with_pil(index, level=6),
        "PNG mask: cv2 level 1, no palette": with_cv2,
    }
    sizes = {name: round(np.mean([len(way(index)) for index in range(FRAMES)])) for name, way in ways.items()}
    return {name: milliseconds(way) for name, way in ways.items()}, sizes


def run_lengths(material: Material) -> dict[str, float]:
    def one_by_one(index: int) -> object:
        labels = material.labels[index]
        return [encode_mask(labels == value) for value in np.unique(labels)]

    return {
        "run lengths of all classes in one pass (shipped)": milliseconds(
            lambda index: encode_label_map(material.labels[index])
        ),
        "run lengths class by class, pycocotools": milliseconds(one_by_one),
    }


def files(material: Material) -> dict[str, float]:
    """Whole sinks, disk included, without the closing."""
    taken = {}
    info = SourceInfo("clip.mp4", material.size, Fraction(1, 25), average_rate=Fraction(25))
    wanted = [
        ("coco", "a.json", Task.SEGMENT),
        ("cvat", "a.xml", Task.SEGMENT),
        ("masks", "m", Task.SEGMENT),
        ("coco", "b.json", Task.DETECT),
        ("cvat", "b.xml", Task.DETECT),
        ("mot", "b.txt", Task.DETECT),
        ("yolo", "y", Task.DETECT),
        ("label-studio", "c.json", Task.DETECT),
    ]
    with TemporaryDirectory() as folder, ExitStack() as stack:
        for form, name, task in wanted:
            sequence = Sequence(info, task, CAMVID if task is Task.SEGMENT else COCO, RUN)
            path = str(Path(folder) / name)
            sink = stack.enter_context(open_record_sink(path, form, sequence, options=OutputOptions()))

            def write(index: int, *, sink: object = sink, task: Task = task) -> None:
                labels = material.labels[index] if task is Task.SEGMENT else None
                objects = () if task is Task.SEGMENT else tuple(objects_of(material.found[index]))
                write.frame += 1  # type: ignore[attr-defined]
                number = write.frame  # type: ignore[attr-defined]
                record = FrameRecord(number, material.size, Fraction(number, 25), objects, labels)
                sink.write_record(record)  # type: ignore[attr-defined]

            write.frame = -1  # type: ignore[attr-defined]
            taken[f"{form}, {'label map' if task is Task.SEGMENT else f'{BOXES} boxes'}"] = milliseconds(write)
    return taken


def encoding(material: Material) -> dict[str, float]:
    """From RGB to the file: colour conversion and libx264, without the drawing."""
    taken = {}
    info = SourceInfo("clip.mp4", material.size, Fraction(1, 25), average_rate=Fraction(25))
    with TemporaryDirectory() as folder:
        for preset in ("ultrafast", "veryfast"):
            path = Path(folder) / f"{preset}.mp4"
            with VideoWriter(path, info=info, preset=preset, threads=1) as writer:
                times = iter(range(10**6))

                def write(index: int, *, writer: VideoWriter = writer, times: object = times) -> None:
                    writer.write(material.images[index], Fraction(next(times), 25), Fraction(1, 25))  # type: ignore[call-overload]

                taken[f"mp4, {preset}, one thread"] = milliseconds(write)
    taken["of which RGB to yuv420p (cv2)"] = milliseconds(
        lambda index: cv2.cvtColor(material.images[index], cv2.COLOR_RGB2YUV_I420)
    )
    return taken


def main() -> None:
    options = parser(__doc__).parse_args()
    cv2.setNumThreads(1)
    columns: list[dict[str, str]] = []
    for size in SIZES:
        material = Material(options.data, size)
        times, sizes = masks(material)
        figures = overlays(material) | times | run_lengths(material) | files(material) | encoding(material)
        columns.append(
            {
                name: f"{taken:.2f}" + (f" ({sizes[name] / 1000:.1f} kB)" if name in sizes else "")
                for name, taken in figures.items()
            }
        )
    header = ["step", *(f"{w} x {h}" for h, w in SIZES)]
    rows = [[name, *(column[name] for column in columns)] for name in columns[0]]
    save(
        "output_costs",
        title="Drawing and writing, CPU milliseconds a frame",
        text=table(header, rows),
        command="benchmarks/output_costs.py",
    )


if __name__ == "__main__":
    main()
