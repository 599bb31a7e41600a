"""Settings of the process that must be made before torch and OpenCV are imported."""

from __future__ import annotations

import ctypes
import os
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # names and numbers of glibc's malloc.h
KEPT_BYTES = 1 << 30


def settle() -> None:
    """Let idle threads sleep instead of spin, and let the allocator keep what it frees.

    On shared cores OpenMP's spinning barriers can make a network several times slower. The pictures OpenCV works on are
    small: its second thread gains little and takes a core from decoder and encoder. Keeping freed memory spares the
    kernel from clearing the same pages for every frame (benchmarks/process_settings.py measures all three).
    What the user has set in the environment stands.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("OPENCV_FOR_THREADS_NUM", "1")
    if sys.platform.startswith("linux") and "MALLOC_TRIM_THRESHOLD_" not in os.environ:
        try:
            libc = ctypes.CDLL("libc.so.6")
            libc.mallopt(M_MMAP_THRESHOLD, KEPT_BYTES)
            libc.mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
        except (OSError, AttributeError):  # another C library: its own settings stand
            return
