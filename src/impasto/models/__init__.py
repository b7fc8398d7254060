"""Model files: their format, and the models that come with the package."""
