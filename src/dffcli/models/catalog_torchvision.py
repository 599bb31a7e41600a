"""Entries of the registry: torchvision models."""

from dffcli.models.registry import ModelEntry

ENTRIES: tuple[ModelEntry, ...] = ()
