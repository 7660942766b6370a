"""Data sources: one package per source, and the checks that all of them pass."""
