"""Reloading the current task file in the running web UI; the daemon reloads it within a minute.

Queued and running runs are not affected: each keeps the version that it was queued with.
"""

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from mystocks_dagster.errors import InstanceError
from mystocks_dagster.factory import database_lock
from mystocks_dagster.instance import DAGSTER_PATH, ui_address
from mystocks_dagster.processes.loopback import opener
from mystocks_dagster.project import reload_state
from mystocks_dagster.scheduling.switches import note_intervals
from mystocks_dagster.settings import Settings
from mystocks_dagster.tags import LOCATION, REPOSITORY, Tag
from mystocks_dagster.taskfile import atomic_files
from mystocks_dagster.taskfile.reader import Version, load_task_file

#: A task file of 1,000 tasks takes about ten seconds to load.
_PATIENCE_SECONDS = 180
_ATTEMPTS = 5
_RELOAD = """mutation($location: String!) {
  reloadRepositoryLocation(repositoryLocationName: $location) {
    __typename
    ... on WorkspaceLocationEntry { locationOrLoadError { __typename ... on PythonError { message } } }
    ... on RepositoryLocationNotFound { message }
    ... on ReloadNotSupported { message }
    ... on UnauthorizedError { message }
    ... on PythonError { message }
  }
}"""
_LOADED = """query($location: String!, $repository: String!, $job: String!) {
  pipelineOrError(params: {repositoryLocationName: $location, repositoryName: $repository, pipelineName: $job}) {
    ... on Pipeline { tags { key value } }
  }
}"""


@dataclass(frozen=True, kw_only=True)
class ReloadResult:
    """The loaded version.

    Attributes:
        version: The current task file.
        address: The web UI that uses it now; None if none is running.
        elsewhere: The process and machine of the daemon that runs on another machine, with a task file of its own;
            empty if it does not.
    """

    version: Version
    address: str | None
    elsewhere: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the JSON of `--json`."""
        taskfile = self.version.taskfile
        return {
            "file": str(self.version.source),
            "version": self.version.hash,
            "ui": self.address,
            "daemon_elsewhere": self.elsewhere or None,
            "tasks": len(taskfile.tasks),
            "groups": len(taskfile.task_groups),
            "broken": list(self.version.broken),
        }


def reload(settings: Settings, *, always: bool = True) -> ReloadResult:
    """Make the project's web UI, if one is running, use the current task file, and verify that it does.

    Concurrent reloads wait for each other, also across processes.

    Args:
        settings: The project's settings.
        always: Also reload if the web UI has this version already, since functions may have changed. False after an
            edit, so that ten simultaneous edits do not reload ten times.

    Raises:
        TaskFileError: Nothing in the file is usable; the loaded version stays in use.
        InstanceError: The web UI could not load it, or uses another file.
    """
    address = ui_address(settings.dagster_home)
    if address is None:
        elsewhere = database_lock.elsewhere(settings.dagster_home) or ""
        return ReloadResult(version=load_task_file(settings.task_file), address=None, elsewhere=elsewhere)
    with atomic_files.locked(settings.dagster_home / "reload", patience=_PATIENCE_SECONDS):
        version = load_task_file(settings.task_file)
        for _ in range(_ATTEMPTS):
            if not always and _loaded(settings, address, version) == version.hash:
                reload_state.forget(settings)
                return ReloadResult(version=version, address=address)
            note_intervals(settings, version.taskfile)
            result = _reload(settings, address, version)
            if result.address is None or _loaded(settings, address, version) in (None, version.hash):
                reload_state.forget(settings)
                return result
            newer = load_task_file(settings.task_file)
            if newer.hash == version.hash:
                break
            # The file was saved during the reload: the newer version must be loaded.
            always, version = False, newer
    loaded = _loaded(settings, address, version)
    raise InstanceError(
        f"The web UI at {address} uses version {loaded or 'unknown'}, but {version.source} is {version.hash}: it was "
        "started for another file, or the file is saved continually. Reload again, or restart `mystocks ui`."
    )


def _reload(settings: Settings, address: str, version: Version) -> ReloadResult:
    answer = ask(settings, address, _RELOAD, location=LOCATION)
    if answer is None:
        return ReloadResult(version=version, address=None)
    entry = answer["reloadRepositoryLocation"]
    location = entry.get("locationOrLoadError") or entry
    if location["__typename"] != "RepositoryLocation":
        reason = location.get("message", location["__typename"]).strip()
        raise InstanceError(f"The web UI at {address} could not load {settings.task_file}: {reason}")
    return ReloadResult(version=version, address=address)


def _loaded(settings: Settings, address: str, version: Version) -> str | None:
    """Return the hash of the version that the web UI uses; None if the file is empty, so that no job tells it."""
    entry = next(iter(version.taskfile.by_id().values()), None)
    if entry is None:
        return None
    answer = ask(settings, address, _LOADED, location=LOCATION, repository=REPOSITORY, job=entry.dagster_name) or {}
    tags = answer.get("pipelineOrError", {}).get("tags", [])
    return next((tag["value"] for tag in tags if tag["key"] == Tag.TASKFILE), "")


def ask(
    settings: Settings, address: str, query: str, *, patience: float = _PATIENCE_SECONDS, **variables: str
) -> dict[str, Any] | None:
    """Return the web UI's answer to a GraphQL query; None if nothing listens at the address, for example after a crash.

    Raises:
        InstanceError: It did not answer within `patience` seconds, or the answer is not GraphQL's.
    """
    body = json.dumps({"query": query, "variables": variables}).encode()
    headers = {"content-type": "application/json"}
    if settings.api_token:
        headers["authorization"] = f"Bearer {settings.api_token}"
    request = urllib.request.Request(f"{address}{DAGSTER_PATH}/graphql", body, headers)
    try:
        with opener.open(request, timeout=patience) as response:
            answer = json.load(response)
    except urllib.error.HTTPError as error:
        if error.code == 401:
            raise InstanceError(
                f"{address} requires a token: set MYSTOCKS_API_TOKEN to the value that `mystocks ui` was started with."
            ) from None
        raise InstanceError(f"{address} answered {error.code} {error.reason}; is it this project's web UI?") from None
    except (urllib.error.URLError, ConnectionError) as error:
        if isinstance(getattr(error, "reason", error), ConnectionError):
            return None
        raise InstanceError(f"The web UI at {address} did not answer: {error}") from None
    except (TimeoutError, ValueError) as error:
        raise InstanceError(f"The web UI at {address} did not answer as expected: {error}") from None
    if answer.get("errors"):
        raise InstanceError(f"The web UI at {address} refused: {answer['errors'][0]['message']}")
    return answer["data"]
