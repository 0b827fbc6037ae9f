"""Encryption at rest: keys that wrap keys, and the format of encrypted objects."""
