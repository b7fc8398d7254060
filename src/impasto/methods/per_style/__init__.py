"""Methods with one network for each style."""
