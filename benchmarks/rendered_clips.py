"""Rendered street clips as training data whose truth is exact: pictures, masks and boxes of every frame.

Written in layouts that `dff train` reads: Cityscapes' (`leftImg8bit_sequence`, `gtFine`; CamVid's classes) and CocoVID
(`train.json` and `val.json`, with the pictures in `leftImg8bit_sequence`). No clip of val is in train.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2

from dffcli.evaluation.scene import Scene, varied_scene
from dffcli.evaluation.scene_files import coco_video

CITY = "rendered"
PICTURES, TRUTH = "leftImg8bit_sequence", "gtFine"
VALIDATION_SEEDS = 1_000_000  # clips of val have seeds from here on


def frame_name(clip: int, index: int) -> str:
    """What Cityscapes calls a frame, without the kind of file."""
    return f"{CITY}_{clip:06d}_{index:06d}"


def picture_path(root: Path, split: str, clip: int, index: int) -> Path:
    """Where a frame lies."""
    return root / PICTURES / split / CITY / f"{frame_name(clip, index)}_leftImg8bit.png"


def mask_path(root: Path, split: str, clip: int, index: int) -> Path:
    """Where its classes lie."""
    return root / TRUTH / split / CITY / f"{frame_name(clip, index)}_gtFine_labelTrainIds.png"


def scene_of(split: str, clip: int, *, size: tuple[int, int], frames: int) -> Scene:
    """The clip of that number."""
    return varied_scene(seed=clip + (VALIDATION_SEEDS if split == "val" else 0), size=size, frames=frames)


def write_split(root: Path, split: str, *, clips: int, size: tuple[int, int], frames: int) -> None:
    """Write pictures, masks and the CocoVID file of a split; what is there already stays."""
    videos: list[dict[str, object]] = []
    for clip in range(clips):
        scene = scene_of(split, clip, size=size, frames=frames)
        videos.append(coco_video(scene, name=f"{split}_{clip:06d}"))
        for index in range(frames):
            for path, make in ((picture_path, scene.image), (mask_path, scene.labels)):
                target = path(root, split, clip, index)
                if not target.is_file():
                    target.parent.mkdir(parents=True, exist_ok=True)
                    values = make(index)
                    cv2.imwrite(str(target), values[..., ::-1] if values.ndim == 3 else values)
    (root / f"{split}.json").write_text(json.dumps(_one_file(videos, split)) + "\n", encoding="utf-8")


def _one_file(videos: Sequence[dict[str, Any]], split: str) -> dict[str, Any]:
    """Several CocoVID files of one video each as one, with ids of their own."""
    whole: dict[str, Any] = {"videos": [], "images": [], "annotations": [], "categories": []}
    for clip, one in enumerate(videos):
        before = len(whole["images"])
        whole["categories"] = one["categories"]
        whole["videos"].append({**one["videos"][0], "id": clip + 1})
        for image in one["images"]:
            name = f"{split}/{CITY}/{frame_name(clip, image['frame_id'])}_leftImg8bit.png"
            whole["images"].append({**image, "id": image["id"] + before, "video_id": clip + 1, "file_name": name})
        for item in one["annotations"]:
            number = len(whole["annotations"]) + 1
            whole["annotations"].append(
                {**item, "id": number, "image_id": item["image_id"] + before, "video_id": clip + 1}
            )
    return whole


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("root", type=Path)
    arguments.add_argument("--clips", type=int, default=40, help="of train; a quarter as many of val")
    arguments.add_argument("--frames", type=int, default=20)
    arguments.add_argument("--height", type=int, default=192)
    options = arguments.parse_args()
    size = (options.height, options.height * 16 // 9 // 16 * 16)
    for split, clips in (("train", options.clips), ("val", max(1, options.clips // 4))):
        write_split(options.root, split, clips=clips, size=size, frames=options.frames)
        print(options.root / f"{split}.json", clips, "clips of", options.frames, "frames,", f"{size[1]} x {size[0]}")


if __name__ == "__main__":
    main()
