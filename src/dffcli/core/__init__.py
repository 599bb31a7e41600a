"""The paper on one shelf: engine, warp, blend, schedule, and the values they pass."""
