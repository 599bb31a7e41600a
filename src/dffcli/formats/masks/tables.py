"""The table of objects beside instance masks."""

from __future__ import annotations

INSTANCES_FILE = "instances.csv"
INSTANCE_COLUMNS = ("index", "file", "instance", "category_id", "category", "score", "track_id")
