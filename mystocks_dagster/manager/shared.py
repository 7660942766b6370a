"""The shared manager of the project in the working folder, opened on first use."""

from mystocks_dagster.manager.tasks import TaskManager

task_manager = TaskManager()
