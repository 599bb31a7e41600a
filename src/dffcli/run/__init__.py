"""One run: plan, engine, journal, post-processing, report."""
