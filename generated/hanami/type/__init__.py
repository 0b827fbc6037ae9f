"""Generated from the contracts: hanami.type."""
