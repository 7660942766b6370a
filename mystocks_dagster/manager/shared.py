"""The manager that programs share: of the project in the working folder, opened when it is first used."""

from mystocks_dagster.manager.tasks import TaskManager

task_manager = TaskManager()
