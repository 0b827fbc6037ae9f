"""Generated from the contracts: hanami.misaki.v1."""
