"""The gRPC services of torii."""
