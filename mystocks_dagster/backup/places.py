"""Where the parts of a backup go in a restore."""

from dataclasses import dataclass
from pathlib import Path

from mystocks_dagster.backup.manifest import FileEntry


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where the parts of a backup go: what the environment and the restored dagster.yaml say.

    Attributes:
        project: The project's folder.
        tasks: The folder of the task file.
        instance: The instance's folder.
        lake: Folder or URL of the tables; None if the backup has no lake, or none is wanted.
        postgres: The database; None if the history is in files, or not wanted.
    """

    project: Path
    tasks: Path
    instance: Path
    lake: str | None
    postgres: str | None

    def path(self, file: FileEntry) -> Path:
        """Return the path of a file of the project or its instance."""
        first, _, name = file.path.partition("/")
        return {"project": self.project, "tasks": self.tasks, "instance": self.instance}[first] / name
