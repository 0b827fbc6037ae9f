"""The gRPC services of kyouko: message to domain call to message, no decisions."""
