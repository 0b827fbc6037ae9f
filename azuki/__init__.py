"""azuki measures the machine and the services that run on it."""
