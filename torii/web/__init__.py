"""HTTP and websockets: the start page, and learning for those who cannot speak gRPC."""
