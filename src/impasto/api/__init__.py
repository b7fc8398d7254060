"""The functions of the public API, one module each, and the modules that they share."""
