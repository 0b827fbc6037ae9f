"""Speaks to the other services."""
