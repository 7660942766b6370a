"""The web process of `mystocks ui`: pages, REST and Dagster's own UI at one address behind one door."""
