"""Generated from the contracts: hanami."""
