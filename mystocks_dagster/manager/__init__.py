"""The Python interface of a project, for programs and notebooks: `TaskManager`."""
