"""The static network: classical layers with all connections from the start."""
