"""misaki, the service of identity: who people are, and what they may do where."""
