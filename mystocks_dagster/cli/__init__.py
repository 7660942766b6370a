"""The commands `mystocks ...`: each parses its arguments, asks the project, and prints."""
