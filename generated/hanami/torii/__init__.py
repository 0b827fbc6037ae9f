"""Generated from the contracts: hanami.torii."""
