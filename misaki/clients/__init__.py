"""Talks to services outside of the mesh."""
