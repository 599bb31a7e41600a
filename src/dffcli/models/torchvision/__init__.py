"""Torchvision's networks, cut in two."""
