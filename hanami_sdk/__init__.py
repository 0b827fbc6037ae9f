"""The Python client of Hanami, its command, and what runs a mesh on one machine."""
