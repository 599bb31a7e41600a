"""Fitting networks: the loop, the data sets it reads and what is minimised."""
