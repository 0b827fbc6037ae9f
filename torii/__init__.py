"""torii is the mesh's door for browsers: websocket, start page, and what the mesh consists of."""
