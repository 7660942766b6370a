"""The `simulated` source: an invented market."""
