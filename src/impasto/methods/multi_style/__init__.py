"""One network, many styles that were learned together, or one after another."""
