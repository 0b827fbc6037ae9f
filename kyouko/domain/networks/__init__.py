"""Networks: what they are, who owns the live ones, how they are kept."""
