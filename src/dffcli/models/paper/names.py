"""What the parameters of these networks are called in the checkpoints of others."""

from __future__ import annotations

import re
from collections.abc import Callable

MXNET_FIELDS = {"weight": "weight", "bias": "bias"}
MXNET_NORM_FIELDS = {
    "weight": ("arg", "gamma"),
    "bias": ("arg", "beta"),
    "running_mean": ("aux", "moving_mean"),
    "running_var": ("aux", "moving_var"),
}
MXNET_PLAIN = {
    "backbone.conv1": "conv1",
    "backbone.bn1": "bn_conv1",
    "reduce": "feat_conv_3x3",
    "rpn_score": "rpn_cls_score",
    "rpn_delta": "rpn_bbox_pred",
    "class_maps": "rfcn_cls",
    "box_maps": "rfcn_bbox",
    "flow.flow": "Convolution5",
    "flow.scale": "Convolution5_scale",
    "flow.encoder.conv1": "flow_conv1",
}
MMTRACKING_PLAIN = {
    "reduce": "detector.neck.convs.0.conv",
    "rpn_conv": "detector.rpn_head.rpn_conv",
    "rpn_score": "detector.rpn_head.rpn_cls",
    "rpn_delta": "detector.rpn_head.rpn_reg",
    "fc1": "detector.roi_head.bbox_head.shared_fcs.0",
    "fc2": "detector.roi_head.bbox_head.shared_fcs.1",
    "class_scores": "detector.roi_head.bbox_head.fc_cls",
    "box_deltas": "detector.roi_head.bbox_head.fc_reg",
    "flow.flow": "motion.predict_flow.conv",
}

_BLOCK = re.compile(r"backbone\.layer(\d)\.(\d+)\.(conv|bn)(\d)$")
_SHORTCUT = re.compile(r"backbone\.layer(\d)\.(\d+)\.downsample\.([01])$")
_ENCODER = re.compile(r"flow\.encoder\.(conv\d)(_1)?$")
_DECODER = re.compile(r"flow\.decoder\.(deconvs|flows|upsamples)\.(\d)$")

Naming = Callable[[str], "str | None"]
"""From a parameter of ours to its name elsewhere; None where that project has no such parameter."""


def mxnet_name(name: str) -> str | None:
    """The name in the released MXNet checkpoint, `arg:` or `aux:` included."""
    module, field = name.rsplit(".", 1)
    block, shortcut = _BLOCK.match(module), _SHORTCUT.match(module)
    is_norm = False
    if module in MXNET_PLAIN:
        other: str | None = MXNET_PLAIN[module]
        is_norm = module == "backbone.bn1"
    elif block:
        stage, unit, kind, position = block.groups()
        is_norm = kind == "bn"
        other = f"{'bn' if is_norm else 'res'}{_unit(int(stage), int(unit))}_branch2{'abc'[int(position) - 1]}"
    elif shortcut:
        stage, unit, position = shortcut.groups()
        is_norm = position == "1"
        other = f"{'bn' if is_norm else 'res'}{_unit(int(stage), int(unit))}_branch1"
    else:
        other = _mxnet_flow_name(module)
    if other is None:
        return None
    if is_norm:
        kind, suffix = MXNET_NORM_FIELDS[field]
        return f"{kind}:{other}_{suffix}"
    return f"arg:{other}_{MXNET_FIELDS[field]}"


def _unit(stage: int, unit: int) -> str:
    """Units are a, b, c in the short stages and a, b1, b2 ... in the long ones (ResNet-101)."""
    if unit == 0:
        return f"{stage + 1}a"
    return f"{stage + 1}b{unit}" if stage in (2, 3) else f"{stage + 1}{'abc'[unit]}"


def _mxnet_flow_name(module: str) -> str | None:
    encoder, decoder = _ENCODER.match(module), _DECODER.match(module)
    if encoder:
        return encoder.group(1) + (encoder.group(2) or "")
    if decoder:
        level = int(decoder.group(2))
        match decoder.group(1):
            case "deconvs":
                return f"deconv{5 - level}"
            case "flows":
                return f"Convolution{1 + level}"
            case "upsamples":
                return f"upsample_flow{6 - level}to{5 - level}"
    return None


def mxnet_resnet50_name(name: str) -> str | None:
    """As `mxnet_name`, for ResNet-50, whose units all have letters."""
    other = mxnet_name(name)
    if other is None:
        return None
    return re.sub(r"(res|bn)([34])b(\d+)_", lambda m: f"{m[1]}{m[2]}{'abcdef'[int(m[3])]}_", other)


def mmtracking_name(name: str) -> str | None:
    """The name in mmtracking's state dict."""
    module, field = name.rsplit(".", 1)
    encoder, decoder = _ENCODER.match(module), _DECODER.match(module)
    if module in MMTRACKING_PLAIN:
        return f"{MMTRACKING_PLAIN[module]}.{field}"
    if module.startswith("backbone."):
        return f"detector.{name}"
    if encoder:
        return f"motion.{encoder.group(1)}.{1 if encoder.group(2) else 0}.conv.{field}"
    if decoder:
        level = int(decoder.group(2))
        other = {"deconvs": f"deconv{5 - level}", "flows": f"predict_flow{6 - level}"}
        return f"motion.{other.get(decoder.group(1), f'upsample_flow{5 - level}')}.conv.{field}"
    return None


def backbone_name(name: str) -> str | None:
    """The name in a state dict of the ResNet alone: torchvision's, and Caffe's brought to torch."""
    return name.removeprefix("backbone.") if name.startswith("backbone.") else None
