"""The verbs of the package, a file each, and what they share."""
