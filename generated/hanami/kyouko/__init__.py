"""Generated from the contracts: hanami.kyouko."""
