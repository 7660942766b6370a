"""The web process of `mystocks ui`: pages, REST and Dagster's UI at one address with one authentication."""
