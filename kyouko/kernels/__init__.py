"""Compiled functions on plain arrays: everything a network does for each row."""
