"""Recognition networks, each split into a feature network and a task network."""
