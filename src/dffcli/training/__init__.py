"""Fitting networks through the warp."""
