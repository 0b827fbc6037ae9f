"""Generated from the contracts: hanami.azuki.v1."""
