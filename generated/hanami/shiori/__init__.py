"""Generated from the contracts: hanami.shiori."""
