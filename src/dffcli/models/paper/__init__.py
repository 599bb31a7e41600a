"""The paper's own networks and their successors in mmtracking, each trained together with its flow network."""
