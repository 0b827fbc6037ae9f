"""All tests, one folder a tier: unit, contract, integration, laws, end to end."""
