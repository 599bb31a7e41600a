"""A page that shows what happened on every frame and lets people put it right."""
