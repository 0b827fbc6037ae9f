"""Reads the machine through psutil."""
