"""How the mesh is, and who may open a websocket."""
