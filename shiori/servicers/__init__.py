"""The gRPC service of shiori: message in, domain call, message out."""
