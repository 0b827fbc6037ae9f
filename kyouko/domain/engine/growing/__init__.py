"""The growing network: its border, its arrays, its layout in space, its snapshots."""
