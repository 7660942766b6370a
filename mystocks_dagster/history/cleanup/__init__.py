"""The removal of old runs, events and files, and what must stay."""
