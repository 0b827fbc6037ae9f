"""End to end: all services as processes behind a real Envoy."""
