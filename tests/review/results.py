"""Small results to look at, with a clip they could have been made from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.video.media import RATE, make_video

SIZE = (120, 160)
FRAMES = 30
HOSTILE = "<img src=x onerror=document.title='owned'>"
CATEGORIES = [
    {"id": 1, "name": "person", "color": [230, 60, 60]},
    {"id": 3, "name": "car", "color": [70, 150, 240]},
    {"id": 9, "name": HOSTILE, "color": [60, 200, 160]},
]


def box_of(track: int, frame: int) -> list[float]:
    """Where a track's object is: tracks 1 and 2 are one car that goes right, 5 a person that stands."""
    if track == 5:
        return [100, 70, 20, 40]
    return [10 + 2 * frame, 20, 40, 30]


def tracks_on(frame: int) -> list[int]:
    """The car is track 1 up to frame 14, then track 2; track 7 is on one frame alone."""
    return [1 if frame < 15 else 2, 5, *([7] if frame == 20 else [])]


def coco(*, key_every: int = 10) -> dict[str, Any]:
    """A COCO result as dff writes it."""
    images, annotations = [], []
    for frame in range(FRAMES):
        is_key = frame % key_every == 0
        images.append(
            {
                "id": frame + 1,
                "file_name": f"{frame:06d}.jpg",
                "width": SIZE[1],
                "height": SIZE[0],
                "frame_id": frame,
                "time_exact": f"{frame}/{RATE}",
                "is_key_frame": is_key,
                "key_reason": ("first frame" if frame == 0 else "fixed interval") if is_key else None,
                "key_frame_ids": [frame - frame % key_every],
            }
        )
        for track in tracks_on(frame):
            box = [70, 90, 30, 20] if track == 7 else box_of(track, frame)
            category = {5: 1, 7: 9}.get(track, 3)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": frame + 1,
                    "category_id": category,
                    "bbox": box,
                    "area": box[2] * box[3],
                    "segmentation": [],
                    "iscrowd": 0,
                    "score": 0.9 if track != 5 else 0.55,
                    "track_id": track,
                }
            )
    info = {"tool": "dff", "task": "detect", "video": "clip.mp4", "frame_rate": str(RATE), "model": "m", "weights": "w"}
    return {"info": info, "categories": CATEGORIES, "images": images, "annotations": annotations}


def write_result(folder: Path) -> tuple[Path, Path]:
    """A result and its clip.

    Returns:
        their paths.
    """
    result = folder / "boxes.json"
    result.write_text(json.dumps(coco()), encoding="utf-8")
    video = make_video(folder / "clip.mp4", FRAMES, size=SIZE, options={"g": "12", "bf": "2"})
    return result, video
