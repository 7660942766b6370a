"""The Delta tables on disk or in an object store: atomic writes, reads by key and day, restore, migration."""
