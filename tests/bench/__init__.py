"""Measurements. `make bench` runs them; `python -m tests.bench --help` tells more."""
