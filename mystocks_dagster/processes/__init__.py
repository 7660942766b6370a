"""Long-lived processes: a lock for each, an end together with their parent, and a restart after a crash."""
