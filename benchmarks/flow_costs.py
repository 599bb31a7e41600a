"""What each flow setting costs, and how well it carries ground truth labels on CamVid's 15 Hz clip.

Labels of a key frame are carried to the frame `gap` frames later and compared with that frame's own labels: the mean
IoU that is left is the flow's alone, no network takes part.
"""

from __future__ import annotations

from fractions import Fraction
from time import process_time

import cv2
import numpy as np
import torch

from common import parser, save, table
from dffcli.core.protocols import FlowEstimator
from dffcli.core.types import FlowField, Frame, PreparedImage
from dffcli.core.warp import resize_displacement
from dffcli.flow import build_flow
from dffcli.flow.dis import DisFlow, DisSettings

GAPS = (1, 2, 4, 8, 15)
EVERY = 6  # frames between key frames
BETWEEN = 10  # frames from a key frame to the next, where labels are carried back from that one
GAPS_BACK = (1, 2, 4, 8)


def opencv_preset(preset: int, long_side: int) -> DisFlow:
    """OpenCV's own preset, for comparison."""
    flow = DisFlow("dis", DisSettings(long_side=long_side))
    flow._dis = cv2.DISOpticalFlow.create(preset)
    return flow


def mean_iou(pairs: list[tuple[np.ndarray, np.ndarray]]) -> float:
    counts = np.zeros((11, 11))
    for found, truth in pairs:
        valid = (found < 11) & (truth < 11)
        counts += np.bincount(truth[valid] * 11 + found[valid], minlength=121).reshape(11, 11)
    hit = np.diag(counts)
    return float((hit / (counts.sum(0) + counts.sum(1) - hit)).mean())


def carried(labels: np.ndarray, field: FlowField) -> np.ndarray:
    h, w = labels.shape
    displacement = resize_displacement(field.displacement, (h, w))[0].numpy()
    rows, columns = np.indices((h, w), dtype=np.float32)
    return np.asarray(
        cv2.remap(
            labels,
            columns + displacement[0],
            rows + displacement[1],
            cv2.INTER_NEAREST,
            borderMode=cv2.BORDER_REPLICATE,
        )
    ).astype(np.int64)


def measure(flow: FlowEstimator, images: list[PreparedImage], labels: list[np.ndarray], *, warm: bool) -> list[str]:
    pairs: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {gap: [] for gap in GAPS}
    taken: list[float] = []
    for key in range(0, len(images) - max(GAPS), EVERY):
        guess: FlowField | None = None
        for gap in range(1, max(GAPS) + 1):
            started = process_time()
            field = flow.estimate(images[key], images[key + gap], guess=guess if warm else None)
            taken.append(process_time() - started)
            guess = field
            if gap in pairs:
                pairs[gap].append((carried(labels[key], field), labels[key + gap].astype(np.int64)))
    return [*(f"{mean_iou(pairs[gap]):.3f}" for gap in GAPS), f"{1000 * float(np.median(taken)):.1f}"]


def way_back(name: str, frames: list[Frame], labels: list[np.ndarray], *, turned: bool) -> list[str]:
    """Labels of the key frame after, carried back; by motion turned round, or searched for again."""
    flow = build_flow(name)
    pairs: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {gap: [] for gap in GAPS_BACK}
    taken: list[float] = []
    for before in range(0, len(frames) - BETWEEN, EVERY):
        images = [PreparedImage(f, f.size, f.size, lambda: torch.zeros(1)) for f in frames[before:][: BETWEEN + 1]]
        guess: FlowField | None = None
        for current in images[1:-1] if turned else ():
            guess = flow.estimate(images[0], current, guess=guess)
        guess = None
        for gap in range(1, BETWEEN):
            started = process_time()
            guess = flow.estimate(images[-1], images[-1 - gap], guess=guess)
            taken.append(process_time() - started)
            if gap in pairs:
                found = carried(labels[before + BETWEEN], guess)
                pairs[gap].append((found, labels[before + BETWEEN - gap].astype(np.int64)))
    return [*(f"{mean_iou(pairs[gap]):.3f}" for gap in GAPS_BACK), f"{1000 * float(np.median(taken)):.1f}"]


def main() -> None:
    options = parser(__doc__).parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    files = sorted((options.data / "camvid" / "val").glob("*.jpg"))
    images, labels = [], []
    for index, file in enumerate(files):
        picture = np.ascontiguousarray(cv2.imread(str(file))[..., ::-1])
        frame = Frame(index, picture, Fraction(index, 15), luma=cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))
        images.append(PreparedImage(frame, frame.size, frame.size, lambda: torch.zeros(1)))
        labels.append(cv2.imread(str(options.data / "camvid" / "valannot" / f"{file.stem}.png"), cv2.IMREAD_GRAYSCALE))
    flows: list[tuple[str, FlowEstimator]] = [
        (name, build_flow(name)) for name in ("none", "farneback", "dis-fast", "dis", "dis-fine")
    ]
    flows += [
        (f"OpenCV {name}, {side}", opencv_preset(preset, side))
        for side in (240, 320)
        for name, preset in (("ultrafast", 0), ("fast", 1), ("medium", 2))
    ]
    rows = []
    for name, flow in flows:
        for warm in (False, True) if name not in ("none", "farneback") else (False,):
            rows.append([name, "chained" if warm else "directly", *measure(flow, images, labels, warm=warm)])
    back = [
        [name, how, *way_back(name, [image.frame for image in images], labels, turned=turned)]
        for name in ("dis-fast", "dis", "dis-fine")
        for how, turned in (("searched for again", False), ("turned round (shipped)", True))
    ]
    header_back = ["flow", "the way back", *(f"{gap} frames" for gap in GAPS_BACK), "CPU ms"]
    header = ["flow", "to the key", *(f"{gap} frames" for gap in GAPS), "CPU ms (one thread, with mismatch)"]
    save(
        "flow_costs",
        title="Ground truth labels carried by flow alone, mean IoU on CamVid val (15 Hz)",
        text=f"{table(header, rows)}\n\nBack from the key frame after, every {BETWEEN}:\n\n{table(header_back, back)}",
        command="python benchmarks/flow_costs.py",
    )


if __name__ == "__main__":
    main()
