"""What people type who come from another tool, and what it is called here."""

from __future__ import annotations

OPTIONS = {
    "--conf": "--score-threshold",
    "--conf-thres": "--score-threshold",
    "--confidence": "--score-threshold",
    "--threshold": "--score-threshold",
    "--source": "the input itself: dff detect VIDEO",
    "--input": "the input itself: dff detect VIDEO",
    "--save-txt": "-o labels/ --format yolo",
    "--save": "-o out.mp4",
    "--project": "-o, with the folder's name",
    "--name": "-o, with the output's name",
    "--tracker": "--track",
    "--persist": "--track",
    "--vid-stride": "--every, or --key-interval to run the network less often",
    "--stride": "--key-interval",
    "--skip": "--key-interval",
    "--interval": "--key-interval",
    "--checkpoint": "--weights",
    "--ckpt": "--weights",
    "--gpu": "--device cuda",
    "--cpu": "--device cpu",
    "--view-img": "--show",
    "--exist-ok": "--overwrite",
    "-y": "--overwrite",
    "--force": "--overwrite",
    "--ss": "--start",
    "--to": "--end",
}
"""Options of other tools, and ours."""

NO_NEED = {
    "--imgsz": "every network has its own input size; frames are brought to it and answers back to the frame",
    "--img-size": "every network has its own input size; frames are brought to it and answers back to the frame",
    "--half": "the networks run in single precision",
    "--batch": "frames are answered one by one, in order",
    "--iou": "each network's NMS threshold is the one it was trained with",
}
"""Options of other tools that nothing here stands for, and why."""


def advice_on_option(name: str) -> str | None:
    """What to type instead of another tool's option; None where it is nobody's."""
    plain = name.split("=")[0]
    if plain in OPTIONS:
        return f"here it is {OPTIONS[plain]}"
    return NO_NEED.get(plain)
