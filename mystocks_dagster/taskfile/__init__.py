"""The task file: its YAML is read, validated with line and remedy, and edited without losing comments."""
