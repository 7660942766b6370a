"""The project for programs that live longer than a save of its task file: read anew when the file has changed, not before."""

import hashlib
import threading
import time
from functools import cached_property

import dagster as dg

from mystocks_dagster.instance import open_instance
from mystocks_dagster.project.project import Project
from mystocks_dagster.settings import Settings
from mystocks_dagster.taskfile import module_cache

#: A file with problems is read again after so many seconds: what is wrong may be mended outside of it, in a module.
_AGAIN_SECONDS = 2


class ProjectCache:
    """Gives the project as it is now, to any number of threads; all share one Dagster instance."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._project: Project | None = None
        self._content = b""
        self._read_at = 0.0

    @cached_property
    def instance(self) -> dg.DagsterInstance:
        """The project's Dagster instance."""
        return open_instance(self.settings)

    @property
    def last(self) -> Project | None:
        """The project that was given last, without a look at the file."""
        return self._project

    def project(self) -> Project:
        """Return the project with the task file as it is at this moment."""
        with self._lock:
            content = self._hash()
            if (
                self._project is None
                or content != self._content
                or module_cache.forget_changed()
                or self._doubtful(self._project)
            ):
                self._project = Project(self.settings, self.instance)
                self._content, self._read_at = content, time.monotonic()
            return self._project

    def _hash(self) -> bytes:
        try:
            return hashlib.sha256(self.settings.task_file.read_bytes()).digest()
        except OSError:  # what reads it says why
            return b"unreadable"

    def _doubtful(self, project: Project) -> bool:
        version = project.loaded
        doubtful = version is None or bool(version.problems) or version.unusable is not None
        return doubtful and time.monotonic() - self._read_at > _AGAIN_SECONDS
