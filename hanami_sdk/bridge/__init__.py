"""The bridge: messages of MQTT and NATS into learning streams, each learned exactly once."""
