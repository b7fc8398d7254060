"""Methods with one network for any style, which is given as a style image."""
