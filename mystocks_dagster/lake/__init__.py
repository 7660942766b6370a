"""The Delta tables on disk or in a bucket: written whole or not at all, read by key and day, restored."""
