"""What a schedule does unless it is told otherwise: numbers that a help text names, and that cost nothing to import."""

from __future__ import annotations

TARGET = 0.96  # agreement with per-frame results
MAX_INTERVAL = 120  # frames between key frames
