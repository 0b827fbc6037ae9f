"""Generated from the contracts: hanami.type.v1."""
