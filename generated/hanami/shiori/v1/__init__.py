"""Generated from the contracts: hanami.shiori.v1."""
