"""Closed forms that bring one distribution of features onto another."""
