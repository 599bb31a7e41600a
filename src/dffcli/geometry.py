"""Boxes: overlap, clipping, NMS."""
