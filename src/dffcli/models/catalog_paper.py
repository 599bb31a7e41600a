"""Entries of the registry: paper models."""

from dffcli.models.registry import ModelEntry

ENTRIES: tuple[ModelEntry, ...] = ()
