"""Truth, matching and metrics, used by bench, eval and training."""
