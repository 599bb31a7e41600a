"""Entries of the registry: street models."""

from dffcli.models.registry import ModelEntry

ENTRIES: tuple[ModelEntry, ...] = ()
