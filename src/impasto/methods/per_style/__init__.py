"""One network, one style."""
