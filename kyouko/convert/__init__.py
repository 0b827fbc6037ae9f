"""The two-way mapping between messages and domain objects, and nothing else."""
