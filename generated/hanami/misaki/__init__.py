"""Generated from the contracts: hanami.misaki."""
