"""Torchvision's networks, split in two."""
