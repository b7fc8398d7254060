"""Measure and compare methods."""
