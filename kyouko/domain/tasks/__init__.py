"""Tasks: work over stored data sets, queued per network."""
