"""The machine in words: what matters for speed, and no names."""

from __future__ import annotations

import os
import platform

import torch


def describe_machine(device: str, *, runtime: str = "torch") -> str:
    """Cores, vector unit, GPU and versions of what runs the networks, for a reader who compares machines."""
    vector = torch.backends.cpu.get_cpu_capability()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    words = f"{cores}-core {platform.machine()} CPU ({vector}), torch {torch.__version__.split('+')[0]}"
    if device.startswith("cuda"):
        words += f", {torch.cuda.get_device_name(device)}"
    if runtime != "torch":
        words += f", feature networks on {runtime}"
    return f"{words}, {torch.get_num_threads()} threads"
