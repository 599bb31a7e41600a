"""Masks as pictures: a PNG a frame, with the tables that explain them."""

from __future__ import annotations

from dffcli.formats.masks.read import read
from dffcli.formats.masks.write import write

__all__ = ["read", "write"]
