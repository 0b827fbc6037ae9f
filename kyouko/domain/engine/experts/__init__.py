"""Small experts beside a network, and the engine that mixes their answers with its own."""
