"""A training loop that knows nothing about style, its data, its checkpoints."""
