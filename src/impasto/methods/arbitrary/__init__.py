"""One network, any style: the painting's statistics are given to the photo's features."""
