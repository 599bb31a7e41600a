"""Annotate video at a fraction of the cost with Deep Feature Flow."""

__version__ = "0.1.0"
