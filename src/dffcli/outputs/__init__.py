"""One sink per file format."""
