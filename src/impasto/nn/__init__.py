"""Blocks and networks that several methods share."""
