"""A cache of the project for long-running programs, which reloads the task file when it has changed."""

import hashlib
import threading
import time
from functools import cached_property

import dagster as dg

from mystocks_dagster.errors import NoDatabase
from mystocks_dagster.instance import open_instance
from mystocks_dagster.plain_files import read_plain
from mystocks_dagster.project.access import Caller
from mystocks_dagster.project.background_reload import BackgroundReload
from mystocks_dagster.project.project import Project
from mystocks_dagster.project.state import ProjectState
from mystocks_dagster.settings import Settings
from mystocks_dagster.shared import locks
from mystocks_dagster.taskfile import module_cache

#: A file with problems is reloaded after so many seconds: the cause may have been corrected in a module.
_AGAIN_SECONDS = 2
#: A database that has answered is not asked again for so many seconds.
_ANSWERS_SECONDS = 1.0


class ProjectCache:
    """Returns the current project, to any number of threads and callers, with one shared Dagster instance.

    Args:
        settings: The project's settings.
        background_reload: As in `ProjectState`.
    """

    def __init__(self, settings: Settings, background_reload: BackgroundReload | None = None) -> None:
        self.settings = settings
        self._background_reload = background_reload
        self._lock = threading.Lock()
        self._state: ProjectState | None = None
        self._content = b""
        self._read_at = 0.0
        self._answered_at = -_ANSWERS_SECONDS

    @cached_property
    def instance(self) -> dg.DagsterInstance:
        """The project's Dagster instance."""
        return open_instance(self.settings)

    def last(self, caller: Caller) -> Project | None:
        """Return the project last returned, without checking the file."""
        return self._for(caller, self._state) if self._state else None

    def looking(self, caller: Caller) -> Project:
        """Return the project for checks, which also say that the database is away."""
        try:
            return self.project(caller)
        except NoDatabase:
            return Project(self.settings, caller=caller)

    def project(self, caller: Caller) -> Project:
        """Return the project with the current task file.

        Raises:
            NoDatabase: The database that keeps Dagster's storage does not answer.
        """
        with self._lock:
            self._check_database()
            content = self._hash()
            if (
                self._state is None
                or content != self._content
                or module_cache.forget_changed()
                or self._doubtful(self._state)
            ):
                self._state = ProjectState(self.settings, self.instance, self._background_reload)
                self._content, self._read_at = content, time.monotonic()
            return self._for(caller, self._state)

    def _check_database(self) -> None:
        """Check the database first: each of Dagster's questions would take some ten seconds."""
        if time.monotonic() - self._answered_at > _ANSWERS_SECONDS:
            locks.check(self.settings.dagster_home)
            self._answered_at = time.monotonic()

    def _for(self, caller: Caller, state: ProjectState) -> Project:
        return Project(self.settings, caller=caller, state=state)

    def _hash(self) -> bytes:
        try:
            return hashlib.sha256(read_plain(self.settings.task_file)).digest()
        except OSError:  # loading the file reports the error
            return b"unreadable"

    def _doubtful(self, state: ProjectState) -> bool:
        version = state.known
        doubtful = version is None or bool(version.problems) or version.unusable is not None
        return doubtful and time.monotonic() - self._read_at > _AGAIN_SECONDS
