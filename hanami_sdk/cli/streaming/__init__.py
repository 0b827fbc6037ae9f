"""`hanami stream`: rows of a living source into a network, exactly once."""
