"""Where data comes from: one package for each source, and the checks that all of them pass."""
