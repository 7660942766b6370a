"""The task file: reading its YAML, validation with line and remedy, and edits that keep comments."""
