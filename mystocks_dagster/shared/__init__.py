"""What all machines of a project share: where its database is, and locks by name that hold on every machine."""
