"""How quickly `dff review` opens a long result: reading, packing, loading in a browser, going from frame to frame."""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np
from playwright.sync_api import sync_playwright

from common import save, table
from dffcli.review.bundle import write_page
from dffcli.review.result import open_result

SIZE = (1080, 1920)


def long_result(path: Path, *, frames: int, boxes: int) -> None:
    """A COCO file of `frames` frames with `boxes` moving boxes on each, in tracks of 200 frames."""
    random = np.random.default_rng(0)
    start, speed = random.uniform(0, 1500, (boxes, 2)), random.uniform(-3, 3, (boxes, 2))
    images, annotations = [], []
    for frame in range(frames):
        is_key = frame % 10 == 0
        images.append({"id": frame + 1, "width": SIZE[1], "height": SIZE[0], "frame_id": frame})
        images[-1] |= {"file_name": f"{frame:06d}.jpg", "time_exact": f"{frame}/30", "is_key_frame": is_key}
        images[-1] |= {"key_reason": "fixed interval" if is_key else None}
        corners = np.abs((start + speed * frame) % 3000 - 1500).round(1)
        for number, (x, y) in enumerate(corners.tolist()):
            track = number + boxes * (frame // 200)
            box = {"id": len(annotations) + 1, "image_id": frame + 1, "category_id": 1 + number % 3}
            box |= {"bbox": [x, y * 0.6, 60, 40], "area": 2400, "iscrowd": 0, "segmentation": []}
            annotations.append(box | {"score": 0.8, "track_id": track})
    categories = [{"id": number, "name": name} for number, name in enumerate(("person", "car", "bus"), 1)]
    info = {"tool": "dff", "task": "detect", "video": "long.mp4", "frame_rate": "30"}
    content = {"info": info, "categories": categories, "images": images, "annotations": annotations}
    path.write_text(json.dumps(content))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--frames", type=int, default=20_000)
    arguments.add_argument("--boxes", type=int, default=10, help="on each frame")
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result, page_file = Path(folder) / "long.json", Path(folder) / "page.html"
        long_result(result, frames=options.frames, boxes=options.boxes)
        started = perf_counter()
        reviewed = open_result(result)
        read = perf_counter() - started
        started = perf_counter()
        packed = reviewed.packed(media=None)
        pack = perf_counter() - started
        write_page(page_file, reviewed)
        with sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            started = perf_counter()
            page.goto(page_file.as_uri())
            page.wait_for_selector("body[data-ready=yes]", timeout=120_000)
            load = perf_counter() - started
            scrub = page.evaluate(
                """async () => {
                  const paint = () => new Promise((done) => requestAnimationFrame(done));
                  const times = [];
                  for (let step = 0; step < 120; step++) {
                    await paint();
                    const started = performance.now();
                    dff.player.seek(Math.floor((step * 7919) % dff.result.frames));
                    await paint();
                    times.push(performance.now() - started);
                  }
                  return times;
                }"""
            )
            correct = page.evaluate(
                "(() => { const s = performance.now(); dff.result.add({op: 'merge', tracks: [0, 10]});"
                " return performance.now() - s; })()"
            )
            browser.close()
    figures = {
        "read and judged (Python), s": f"{read:.2f}",
        "packed for the page, s": f"{pack:.2f}",
        "size of that, MB": f"{len(packed) / 1e6:.1f}",
        "page open and ready, s": f"{load:.2f}",
        "a frame while scrubbing, ms (median)": f"{statistics.median(scrub):.1f}",
        "a frame while scrubbing, ms (worst)": f"{max(scrub):.1f}",
        "a correction, ms": f"{correct:.1f}",
    }
    title = f"`dff review` on {options.frames} frames with {options.frames * options.boxes} boxes"
    rows = table(["", "measured"], [[name, value] for name, value in figures.items()])
    save("review_page", title=title, text=rows, command="python benchmarks/review_page.py")


if __name__ == "__main__":
    main()
