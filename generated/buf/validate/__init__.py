"""Generated from the contracts: buf.validate."""
