"""Generated from the contracts: hanami.kyouko.v1."""
