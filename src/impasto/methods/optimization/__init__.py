"""The image is the parameter: one picture at a time, optimised from a start."""
