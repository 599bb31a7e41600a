"""Feature propagation, the W of the paper (section 3.1): the only home of the sampling-grid rule.

A map of the current frame is the key frame's map read at p + flow(p). Two forms of the same sum exist: torch's
`grid_sample`, which is differentiable and runs anywhere, and a sum over the four neighbours as one `embedding_bag`,
which is several times faster on a CPU. A test holds them together.

Maps that hold boxes are read otherwise: at the nearest cell, and the boxes take up what rounding leaves over. Scores
keep their peaks, which the mean of four neighbours would flatten under the threshold, and boxes still move by fractions
of a cell.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from dffcli.core.types import BoxMaps, Features, FlowField


def resize_displacement(displacement: Tensor, size: tuple[int, int]) -> Tensor:
    """Bring a displacement onto another grid that spans the same picture.

    Args:
        displacement: `(dx, dy)` in pixels of its own grid, `[1, 2, h, w]`.
        size: `(height, width)` of the wanted grid.

    Returns:
        `(dx, dy)` in pixels of the wanted grid, `[1, 2, *size]`.
    """
    h, w = displacement.shape[2:]
    if (h, w) == size:
        return displacement
    resized = F.interpolate(displacement, size=size, mode="bilinear", align_corners=False)
    return resized * resized.new_tensor([size[1] / w, size[0] / h]).view(1, 2, 1, 1)


def sampling_grid(displacement: Tensor, *, grid: str = "exact") -> Tensor:
    """Where to read the key's map, in `grid_sample`'s coordinates (-1..1, corners aligned), `[1, h, w, 2]`.

    "exact" reads at p + flow(p). "mmtracking" divides by the size instead of the size less one, so its grid shrinks
    toward the top left even at zero flow; that project's checkpoints were trained with it.
    """
    h, w = displacement.shape[2:]
    columns = torch.arange(w, device=displacement.device, dtype=displacement.dtype)
    rows = torch.arange(h, device=displacement.device, dtype=displacement.dtype).unsqueeze(1)  # [h, 1]
    x, y = columns + displacement[:, 0], rows + displacement[:, 1]  # [1, h, w]
    span_x, span_y = (w - 1, h - 1) if grid == "exact" else (w, h)
    return torch.stack((2 * x / max(span_x, 1) - 1, 2 * y / max(span_y, 1) - 1), dim=3)


def warp(
    features: Features, field: FlowField, *, weight: Tensor | None = None, onto: Features | None = None
) -> Features:
    """Carry a key frame's maps to the current frame.

    Args:
        features: the key frame's maps, `[1, C, h, w]`, each on a grid that spans the padded input.
        field: current -> key.
        weight: how much each place counts, `[1, 1, h', w']` on any grid that spans the padded input; 1 if absent.
        onto: maps to add the result to, in place: the other side of a two-sided blend.

    Returns:
        The current frame's maps, of the same shapes and kind.
    """
    reader = _gathering_reader if _can_gather(features, field) else _grid_sample_reader
    kind: Callable[[list[Tensor]], Features] = tuple
    if isinstance(features, BoxMaps):
        kind = BoxMaps
        if field.scale_map is None and field.grid == "exact":
            reader = _nearest_reader
    readers: dict[tuple[int, int], Callable[[Tensor], Tensor]] = {}
    warped: list[Tensor] = []
    for position, values in enumerate(features):
        size = values.shape[2], values.shape[3]
        if size not in readers:
            displacement = resize_displacement(field.displacement.to(values.device, torch.float32), size)
            readers[size] = reader(displacement, _resize(weight, size, like=values), field)
        result = readers[size](values)
        scale = _resize(field.scale_map, size, like=values)
        if scale is not None:
            result = result * scale
        warped.append(result if onto is None else onto[position].add_(result))
    return kind(warped)


def _resize(values: Tensor | None, size: tuple[int, int], *, like: Tensor) -> Tensor | None:
    if values is None or values.shape[2:] == size:
        return values if values is None else values.to(like)
    return F.interpolate(values.to(like), size=size, mode="bilinear", align_corners=False)


def _can_gather(features: Features, field: FlowField) -> bool:
    return (
        field.grid == "exact"
        and field.padding == "border"
        and not torch.is_grad_enabled()
        and all(values.device.type == "cpu" and values.dtype == torch.float32 for values in features)
    )


def _grid_sample_reader(displacement: Tensor, weight: Tensor | None, field: FlowField) -> Callable[[Tensor], Tensor]:
    grid = sampling_grid(displacement, grid=field.grid)

    def read(values: Tensor) -> Tensor:
        read = F.grid_sample(values, grid.to(values.dtype), padding_mode=field.padding, align_corners=True)
        return read if weight is None else read * weight

    return read


def _gathering_reader(displacement: Tensor, weight: Tensor | None, field: FlowField) -> Callable[[Tensor], Tensor]:
    h, w = displacement.shape[2:]
    cells, shares = _neighbours(displacement, weight)

    def read(values: Tensor) -> Tensor:
        channels = values.shape[1]
        table = values.permute(0, 2, 3, 1).reshape(h * w, channels)  # no copy when channels are last in memory
        read = F.embedding_bag(cells, table, mode="sum", per_sample_weights=shares)  # [h * w, C]
        return read.view(1, h, w, channels).permute(0, 3, 1, 2)  # [1, C, h, w], channels last in memory

    return read


def _nearest_reader(displacement: Tensor, weight: Tensor | None, field: FlowField) -> Callable[[Tensor], Tensor]:
    h, w = displacement.shape[2:]
    x = (torch.arange(w, device=displacement.device) + displacement[0, 0]).clamp_(0, w - 1)  # [h, w]
    y = (torch.arange(h, device=displacement.device).unsqueeze(1) + displacement[0, 1]).clamp_(0, h - 1)
    column, row = x.round(), y.round()
    cells = (row * w + column).long().view(-1)  # [h * w]
    beyond = torch.stack((x - column, y - row, column - x, row - y), 2).view(-1, 4)  # to be added to the distances

    def read(values: Tensor) -> Tensor:
        channels = values.shape[1]
        table = values.permute(0, 2, 3, 1).reshape(h * w, channels)  # no copy when channels are last in memory
        read = table[cells]  # [h * w, C]
        read[:, -4:] += beyond
        if weight is not None:
            read *= weight.reshape(-1, 1)
        return read.view(1, h, w, channels).permute(0, 3, 1, 2)  # [1, C, h, w], channels last in memory

    return read


def _neighbours(displacement: Tensor, weight: Tensor | None) -> tuple[Tensor, Tensor]:
    """The four cells around each reading point and their shares, `[h * w, 4]` both; outside, the border repeats."""
    h, w = displacement.shape[2:]
    x = (torch.arange(w) + displacement[0, 0]).clamp_(0, w - 1)  # [h, w]
    y = (torch.arange(h).unsqueeze(1) + displacement[0, 1]).clamp_(0, h - 1)  # [h, w]
    left, top = x.long().clamp_(max=max(w - 2, 0)), y.long().clamp_(max=max(h - 2, 0))
    right_share, lower_share = x - left, y - top
    left_share, upper_share = 1 - right_share, 1 - lower_share
    if weight is not None:
        upper_share, lower_share = upper_share * weight[0, 0], lower_share * weight[0, 0]
    shares = torch.stack(
        (upper_share * left_share, upper_share * right_share, lower_share * left_share, lower_share * right_share), 2
    )  # [h, w, 4]
    right, below = min(1, w - 1), w if h > 1 else 0
    cells = (top * w + left).unsqueeze(2) + torch.tensor([0, right, below, right + below])  # [h, w, 4]
    return cells.view(h * w, 4), shares.view(h * w, 4)
