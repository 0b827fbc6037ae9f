"""Generated from the contracts: hanami.inference."""
