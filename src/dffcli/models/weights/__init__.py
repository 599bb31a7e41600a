"""Weights files: readers, downloads, inventory."""
