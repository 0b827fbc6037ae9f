"""Learning under random faults: clients stream on, processes are killed, nothing may be lost."""
