"""Changes to the task file that keep all that they do not change; imports and exports."""
