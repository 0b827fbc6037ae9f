"""What was done in the mesh, and what went wrong in it."""
