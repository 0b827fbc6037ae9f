"""One file per gRPC service: a message in, a call of the domain, a message out."""
