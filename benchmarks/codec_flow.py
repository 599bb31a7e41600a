"""Are the codec's own motion vectors good enough to replace optical flow?

CamVid's labelled 15 Hz clip is encoded by several codecs. Each frame's exported vectors are spread over their blocks
and chained from frame to frame back to the key frame. In a stream with one reference frame and no B-frames they point
to the frame before; what those of other streams point to is not exported, so they are taken as if they did. Labels of
the key frame are carried along, as in flow_costs.py: mean IoU against the frame's own labels, and the cost beside DIS.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from time import process_time

import av
import cv2
import numpy as np
import torch

from common import parser, save, table
from dffcli.core.protocols import FlowEstimator
from dffcli.core.types import FlowField, Frame, PreparedImage
from dffcli.flow import build_flow
from dffcli.flow.grey import field_from_grey, grey_picture
from dffcli.video.reader import open_source
from flow_costs import EVERY, GAPS, carried, mean_iou

CELL = 4  # pixels, the smallest block of H.264
LONG_SIDE = 208  # pixels of the picture that is compared for the mismatch, as DIS has it
FILL = 9  # cells around a cell without a vector from which it takes one
STREAMS = {
    "H.264, one reference, no B-frames": ("libx264", {"crf": "23", "preset": "medium", "refs": "1", "bf": "0"}),
    "H.264, three references, no B-frames": ("libx264", {"crf": "23", "preset": "medium", "refs": "3", "bf": "0"}),
    "H.264, x264's defaults": ("libx264", {"crf": "23", "preset": "medium"}),
    "MPEG-4": ("mpeg4", {"qscale": "4", "bf": "0"}),
    "MPEG-2": ("mpeg2video", {"qscale": "4", "bf": "0"}),
}


def encode(files: Sequence[Path], path: Path, codec: str, options: dict[str, str]) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.codec_context.options = {key: value for key, value in options.items() if key != "qscale"}
        stream.codec_context.gop_size = 250
        if "qscale" in options:
            stream.codec_context.options = {"bf": options["bf"], "q:v": options["qscale"]}
            stream.codec_context.bit_rate = 2_000_000
        for index, file in enumerate(files):
            picture = np.ascontiguousarray(cv2.imread(str(file))[..., ::-1])
            if index == 0:
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = "yuv420p"
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def dense_vectors(frame: Frame) -> tuple[np.ndarray, float]:
    """`(dx, dy)` to the frame before in pixels on a grid of 4 x 4 cells, `[h, w, 2]`, and the share that had one."""
    h, w = (-(-side // CELL) for side in frame.size)
    field = np.zeros((h, w, 2), np.float32)
    known = np.zeros((h, w), np.float32)
    vectors = frame.motion_vectors
    if vectors is None:
        return field, 0.0
    vectors = vectors[vectors["source"] < 0]
    motion = np.stack((vectors["motion_x"], vectors["motion_y"]), 1) / np.maximum(vectors["motion_scale"], 1)[:, None]
    left = (vectors["dst_x"] - vectors["w"] // 2) // CELL
    top = (vectors["dst_y"] - vectors["h"] // 2) // CELL
    for block_h, block_w in {(int(a), int(b)) for a, b in zip(vectors["h"], vectors["w"], strict=True)}:
        mine = (vectors["h"] == block_h) & (vectors["w"] == block_w)
        for y in range(max(1, block_h // CELL)):
            for x in range(max(1, block_w // CELL)):
                rows, columns = top[mine] + y, left[mine] + x
                inside = (rows >= 0) & (rows < h) & (columns >= 0) & (columns < w)
                field[rows[inside], columns[inside]] = motion[mine][inside]
                known[rows[inside], columns[inside]] = 1
    share = float(known.mean())
    if 0 < share < 1:
        weight = cv2.blur(known, (FILL, FILL))
        near = cv2.blur(field * known[..., None], (FILL, FILL)) / np.maximum(weight, 1e-6)[..., None]
        field = np.where(known[..., None] > 0, field, near).astype(np.float32)
    return field, share


class CodecFlow:
    """The codec's vectors, chained frame by frame back to the key frame."""

    name = "codec"

    def estimate(self, key: PreparedImage, current: PreparedImage, *, guess: FlowField | None = None) -> FlowField:
        step, _ = dense_vectors(current.frame)
        h, w = step.shape[:2]
        if guess is not None:
            before = guess.displacement[0].permute(1, 2, 0).numpy() * (
                current.frame.size[1] / guess.displacement.shape[3]
            )
            before = np.ascontiguousarray(cv2.resize(before, (w, h)))  # pixels of the picture, on the cells
            rows, columns = np.indices((h, w), dtype=np.float32)
            step = step + cv2.remap(
                before,
                columns + step[..., 0] / CELL,
                rows + step[..., 1] / CELL,
                cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            )
        key_grey, current_grey = (grey_picture(image, long_side=LONG_SIDE) for image in (key, current))
        size_wh = current_grey.shape[1], current_grey.shape[0]
        scale = size_wh[0] / current.frame.size[1]
        return field_from_grey(key_grey, current_grey, cv2.resize(step, size_wh) * scale)


def measure(flow: FlowEstimator, frames: list[Frame], labels: list[np.ndarray]) -> list[str]:
    pairs: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {gap: [] for gap in GAPS}
    taken: list[float] = []
    for key in range(0, len(frames) - max(GAPS), EVERY):
        guess: FlowField | None = None
        key_image = PreparedImage(frames[key], frames[key].size, frames[key].size, lambda: torch.zeros(1))
        for gap in range(1, max(GAPS) + 1):
            frame = frames[key + gap]
            image = PreparedImage(frame, frame.size, frame.size, lambda: torch.zeros(1))
            started = process_time()
            guess = flow.estimate(key_image, image, guess=guess)
            taken.append(process_time() - started)
            if gap in pairs:
                pairs[gap].append((carried(labels[key], guess), labels[key + gap].astype(np.int64)))
    return [*(f"{mean_iou(pairs[gap]):.3f}" for gap in GAPS), f"{1000 * float(np.median(taken)):.1f}"]


def main() -> None:
    options = parser(__doc__).parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    files = sorted((options.data / "camvid" / "val").glob("*.jpg"))
    masks = options.data / "camvid" / "valannot"
    labels = [cv2.imread(str(masks / f"{file.stem}.png"), cv2.IMREAD_GRAYSCALE) for file in files]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for number, (title, (codec, settings)) in enumerate(STREAMS.items()):
            clip = Path(folder) / f"{codec}{number}.mp4"
            encode(files, clip, codec, settings)
            with open_source(str(clip), motion_vectors=True) as source:
                frames = list(source)
            shares = [dense_vectors(frame)[1] for frame in frames[1:]]
            flows: list[FlowEstimator] = [CodecFlow()]
            if number == 0:
                flows += [build_flow(name) for name in ("none", "dis-fast", "dis", "dis-fine")]
            for flow in flows:
                cells = measure(flow, frames, labels)
                covered = f"{np.mean(shares):.0%}" if "codec" in flow.name else ""
                rows.append([title, flow.name, covered, *cells])
                print(rows[-1], flush=True)
    header = [
        "stream",
        "flow",
        "area with vectors",
        *(f"{gap} frames" for gap in GAPS),
        "CPU ms (one thread, with mismatch)",
    ]
    save(
        "codec_flow",
        title="The codec's motion vectors as flow: true labels carried, mean IoU on CamVid val (15 Hz)",
        text=table(header, rows) + f"\n\n{(__doc__ or '').strip()}",
        command="python benchmarks/codec_flow.py",
    )


if __name__ == "__main__":
    main()
