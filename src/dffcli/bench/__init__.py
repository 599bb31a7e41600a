"""Compare Deep Feature Flow with per-frame evaluation: how much faster, how much worse."""
