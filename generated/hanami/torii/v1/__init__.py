"""Generated from the contracts: hanami.torii.v1."""
