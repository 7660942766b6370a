"""The `mystocks` commands: each parses its arguments, asks the project, and prints."""
