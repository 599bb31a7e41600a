"""Recognition networks, each cut into a feature network and a task network."""
