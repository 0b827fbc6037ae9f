"""Generated from the contracts: buf."""
