"""How large the parts of a template may be."""

from typing import Final

MOST_CHANNELS: Final = 1 << 20
MOST_INPUTS: Final = 256
MOST_POPULATIONS: Final = 4096
# In the reaches of all populations together; a network has to fit into a message several times.
MOST_REACH_NAMES: Final = 1 << 16
MOST_NEURONS: Final = 65536
MOST_NUMBERS: Final = 1024
LEAST_MEMORY: Final = 1 << 20
MOST_MEMORY: Final = 1 << 34
LEAST_LABELS: Final = 2
MOST_LABELS: Final = 4096
MOST_SEED: Final = 2**63 - 1
MOST_CONNECTIONS: Final = 1 << 16
MOST_DELAYS: Final = 1024
MOST_DELAY: Final = 1 << 16
MOST_REFRACTORY: Final = 1 << 16
MOST_HORIZON: Final = 10_000
MOST_STUCK_ROWS: Final = 1_000_000
MOST_RULES: Final = 4096
# A year.
MOST_LATE_SECONDS: Final = 31_622_400.0
LEAST_ORGANISED_ROWS: Final = 64
MOST_ORGANISED_ROWS: Final = 1 << 16
MOST_REHEARSED: Final = 1 << 20
MOST_REHEARSAL_STEPS: Final = 16.0
MOST_LEARNING_RATE: Final = 10.0
# Blocks of neurons times the channels they may reach; above it, only laying the network out
# would take seconds and gigabytes.
MOST_EDGES: Final = 1 << 24
# Blocks of neurons times the populations, delays apart, that lead to each of them one by one.
MOST_PAIRS: Final = 1 << 17
MOST_REPORTED: Final = 20
