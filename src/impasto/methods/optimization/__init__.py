"""Methods that optimise the pixels of one image at a time."""
