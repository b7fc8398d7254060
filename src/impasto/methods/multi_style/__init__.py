"""Methods with one network for many styles, learned together or one after another."""
