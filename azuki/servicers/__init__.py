"""The gRPC services of azuki."""
