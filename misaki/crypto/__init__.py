"""Implementations of ports by well-kept cryptographic libraries."""
