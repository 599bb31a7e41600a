"""Merge batch normalisation into the convolution before it: the same function, one pass over memory less."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights
from torchvision.ops.misc import FrozenBatchNorm2d


def fold_batch_norms(network: nn.Module) -> int:
    """Fold, in place, every batch normalisation that is registered right after a convolution of its width.

    Torchvision registers layers in the order they run, so this is every pair there is in its networks; the tests hold
    each of them to that.

    Args:
        network: in evaluation mode.

    Returns:
        How many were folded.
    """
    folded = 0
    for module in network.modules():
        children = list(module.named_children())
        for (_, conv), (name, norm) in pairwise(children):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d | FrozenBatchNorm2d):
                if norm.weight.shape[0] != conv.out_channels:
                    continue
                _fold(conv, norm)
                setattr(module, name, nn.Identity())
                folded += 1
    return folded


@torch.no_grad()
def _fold(conv: nn.Conv2d, norm: nn.BatchNorm2d | FrozenBatchNorm2d) -> None:
    if norm.running_mean is None or norm.running_var is None:
        return
    conv.weight, conv.bias = fuse_conv_bn_weights(
        conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
    )
