"""Generated from the contracts: hanami.azuki."""
