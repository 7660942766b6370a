"""One attempt of a task in a supervised process, with its log, progress and result."""
