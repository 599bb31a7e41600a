"""Material that lies beside the project: real video, reference outputs, starting weights.

Tests that need it skip where all of it is absent. Where it is there, or `DFF_REQUIRE_DATA=1` says it must be, a missing
part of it fails the test: nobody would notice a skip.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED = Path(__file__).parents[1].parent / "shared"
DATA, GOLDEN, WEIGHTS, FIELD = (SHARED / name for name in ("data", "golden", "weights", "field"))
IS_REQUIRED = os.environ.get("DFF_REQUIRE_DATA") == "1"

needs_shared = pytest.mark.skipif(
    not SHARED.is_dir() and not IS_REQUIRED, reason="needs the material in ../shared (DFF_REQUIRE_DATA=1 insists on it)"
)
