"""Living streams of rows into networks."""
