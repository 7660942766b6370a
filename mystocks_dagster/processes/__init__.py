"""Long-lived processes: one lock for each, an end together with their parent, and a restart when they were killed."""
