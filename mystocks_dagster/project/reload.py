"""Making the running web UI use the task file as it is now; the daemon follows by itself within a minute.

Queued and running work is not touched: each run keeps the version that it was queued with.
"""

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from mystocks_dagster.errors import InstanceError
from mystocks_dagster.instance import DAGSTER_PATH, ui_address
from mystocks_dagster.processes.loopback import opener
from mystocks_dagster.project import reload_state
from mystocks_dagster.scheduling.switches import note_intervals
from mystocks_dagster.settings import Settings
from mystocks_dagster.tags import LOCATION, REPOSITORY, Tag
from mystocks_dagster.taskfile import atomic_files
from mystocks_dagster.taskfile.reader import Version, load_task_file

#: A file of 1,000 tasks takes some ten seconds to load.
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
    """What was loaded.

    Attributes:
        version: The task file as it is.
        address: The web UI that uses it now; None when none runs.
    """

    version: Version
    address: str | None

    def to_json(self) -> dict[str, Any]:
        """Return it as `--json` shows it."""
        taskfile = self.version.taskfile
        return {
            "file": str(self.version.source),
            "version": self.version.hash,
            "ui": self.address,
            "tasks": len(taskfile.tasks),
            "groups": len(taskfile.task_groups),
            "broken": list(self.version.broken),
        }


def reload(settings: Settings, *, anew: bool = True) -> ReloadResult:
    """Make the project's web UI, if one runs, use the task file as it is now, and make sure that it does.

    Reloads wait for each other, in this process and in others.

    Args:
        settings: The project's.
        anew: Load also when the web UI has this version already: the functions may have changed. False after an edit,
            so that ten edits at once do not load ten times.

    Raises:
        TaskFileError: Nothing of the file can be used; what was loaded stays.
        InstanceError: The web UI could not load it, or reads another file.
    """
    address = ui_address(settings.dagster_home)
    if address is None:
        return ReloadResult(version=load_task_file(settings.task_file), address=None)
    with atomic_files.locked(settings.dagster_home / "reload", patience=_PATIENCE_SECONDS):
        version = load_task_file(settings.task_file)
        for _ in range(_ATTEMPTS):
            if not anew and _loaded(settings, address, version) == version.hash:
                reload_state.forget(settings)
                return ReloadResult(version=version, address=address)
            note_intervals(settings, version.taskfile)
            done = _reloaded(settings, address, version)
            if done.address is None or _loaded(settings, address, version) in (None, version.hash):
                reload_state.forget(settings)
                return done
            newer = load_task_file(settings.task_file)
            if newer.hash == version.hash:
                break
            # Somebody saved the file while it was loaded: what counts is the file as it is now.
            anew, version = False, newer
    loaded = _loaded(settings, address, version)
    raise InstanceError(
        f"The web UI at {address} works with version {loaded or 'unknown'}, but {version.source} is {version.hash}: "
        "it was started for another file, or the file is being saved again and again. Reload again, or start `mystocks ui` anew."
    )


def _reloaded(settings: Settings, address: str, version: Version) -> ReloadResult:
    answer = ask(settings, address, _RELOAD, location=LOCATION)
    if answer is None:
        return ReloadResult(version=version, address=None)
    told = answer["reloadRepositoryLocation"]
    told = told.get("locationOrLoadError") or told
    if told["__typename"] != "RepositoryLocation":
        reason = told.get("message", told["__typename"]).strip()
        raise InstanceError(f"The web UI at {address} could not load {settings.task_file}: {reason}")
    return ReloadResult(version=version, address=address)


def _loaded(settings: Settings, address: str, version: Version) -> str | None:
    """Return the hash of the version that the web UI works with; None when the file has nothing to ask for."""
    entry = next(iter(version.taskfile.by_id().values()), None)
    if entry is None:
        return None
    answer = ask(settings, address, _LOADED, location=LOCATION, repository=REPOSITORY, job=entry.dagster_name) or {}
    tags = answer.get("pipelineOrError", {}).get("tags", [])
    return next((tag["value"] for tag in tags if tag["key"] == Tag.TASKFILE), "")


def ask(
    settings: Settings, address: str, query: str, *, patience: float = _PATIENCE_SECONDS, **variables: str
) -> dict[str, Any] | None:
    """Return the web UI's answer to a GraphQL query; None when nobody listens at the address, as after a crash.

    Raises:
        InstanceError: It did not answer within `patience` seconds, or not as GraphQL does.
    """
    body = json.dumps({"query": query, "variables": variables}).encode()
    headers = {"content-type": "application/json"}
    if settings.api_token:
        headers["authorization"] = f"Bearer {settings.api_token}"
    request = urllib.request.Request(f"{address}{DAGSTER_PATH}/graphql", body, headers)
    try:
        with opener.open(request, timeout=patience) as answer:
            told = json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code == 401:
            raise InstanceError(
                f"{address} wants a token: set MYSTOCKS_API_TOKEN here to what `mystocks ui` was started with."
            ) from None
        raise InstanceError(f"{address} answered {error.code} {error.reason}; is it this project's web UI?") from None
    except (urllib.error.URLError, ConnectionError) as error:
        if isinstance(getattr(error, "reason", error), ConnectionError):
            return None
        raise InstanceError(f"The web UI at {address} did not answer: {error}") from None
    except (TimeoutError, ValueError) as error:
        raise InstanceError(f"The web UI at {address} did not answer as expected: {error}") from None
    if told.get("errors"):
        raise InstanceError(f"The web UI at {address} refused: {told['errors'][0]['message']}")
    return told["data"]
