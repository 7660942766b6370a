"""The strategies of this package, one module per idea of trading."""
