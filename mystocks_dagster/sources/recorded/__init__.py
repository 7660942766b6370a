"""The `recorded` source: your own archive of files."""
