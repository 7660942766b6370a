"""Checks of what runs: the daemon, the machines that take runs, and the web UI."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from mystocks_dagster.errors import InstanceError
from mystocks_dagster.project import reload_state
from mystocks_dagster.project.check import Check, checked
from mystocks_dagster.project.reload import ask
from mystocks_dagster.project.servers import ui_address
from mystocks_dagster.project.state import ProjectState
from mystocks_dagster.runs import launch
from mystocks_dagster.shared.place import database_url
from mystocks_dagster.tags import LOCATION

_UI_SECONDS = 10.0
_LOCATION = """query { workspaceOrError { __typename
  ... on PythonError { message }
  ... on Workspace { locationEntries { name locationOrLoadError {
    __typename ... on PythonError { message causes { message } } } } } } }"""


def daemon(project: ProjectState) -> Check:
    """Check that the daemon is running, without which no schedule fires and no queued run starts."""
    age = launch.heartbeat_age(project.instance)
    alive = False
    if age is None:
        detail = "no daemon has run on this instance, or it was stopped"
    elif pid := launch.killed_daemon(project.instance):
        detail = f"its process {pid} is gone; last heartbeat {age:.0f} s ago"
    else:
        alive, detail = age < launch.HEARTBEAT_SECONDS, f"last heartbeat {age:.0f} s ago"
    return Check(name="daemon", ok=alive, detail=detail, remedy="" if alive else "mystocks ui")


def machines(project: ProjectState) -> Iterator[Check]:
    """Yield the check that a machine, or Kubernetes, takes runs, where dagster.yaml names a launcher for several."""
    try:
        launcher: Any = _or_none(lambda: project.instance).run_launcher
    except InstanceError as error:
        yield Check(name="kubernetes", ok=False, detail=str(error), remedy="docs/kubernetes.md")
        return
    except Exception:  # noqa: BLE001 - as in `checked`
        return
    if hasattr(launcher, "reach"):
        yield checked("kubernetes", lambda: _kubernetes(launcher))
    if hasattr(launcher, "machines"):
        yield checked("machines", lambda: _machines(launcher.machines(), launcher.silent()))


def _kubernetes(launcher: Any) -> Check:
    try:
        return Check(name="kubernetes", ok=True, detail=launcher.reach())
    except InstanceError as error:
        return Check(name="kubernetes", ok=False, detail=str(error), remedy="docs/kubernetes.md")


def _machines(found: Sequence[tuple[int, str, str]], silent: Sequence[str]) -> Check:
    if silent:
        detail = f"no sign of life for over a minute from {', '.join(silent)}"
        return Check(name="machines", ok=False, detail=detail, remedy="mystocks worker, started again on that machine")
    if not found:
        detail = "no machine takes runs, so all wait in the queue"
        return Check(name="machines", ok=False, detail=detail, remedy="mystocks worker, on each machine")
    detail = ", ".join(f"{name} executes up to {slots} runs" for slots, _, name in found)
    return Check(name="machines", ok=True, detail=detail)


def web_ui(project: ProjectState) -> Check:
    """Check that the web UI answers and has loaded the task file. A daemon may also run without a web UI."""
    address = ui_address(project.settings.dagster_home)
    if address is None:
        alive = launch.daemon_alive(project.instance)
        detail = "no web UI was started by `mystocks ui`"
        if alive and database_url(project.settings.dagster_home):
            detail = "no web UI was started by `mystocks ui` on this machine; a daemon is alive"
        elif alive:
            detail = "no web UI was started by `mystocks ui`; a daemon runs without it"
        return Check(name="web_ui", ok=alive, detail=detail, remedy="" if alive else "mystocks ui")
    try:
        answer = ask(project.settings, address, _LOCATION, patience=_UI_SECONDS)
    except InstanceError as error:
        token = "MYSTOCKS_API_TOKEN" in str(error)
        remedy = "set MYSTOCKS_API_TOKEN" if token else "stop `mystocks ui` and start it again"
        return Check(name="web_ui", ok=False, detail=str(error), remedy=remedy)
    if answer is None:
        detail = f"it was started at {address}, but does not answer: it was killed"
        return Check(name="web_ui", ok=False, detail=detail, remedy="mystocks ui")
    trouble = _location_trouble(answer["workspaceOrError"])
    if trouble:
        detail = f"{address} could not load the task file: {trouble}"
        return Check(name="web_ui", ok=False, detail=detail, remedy="mystocks check")
    if text := reload_state.trouble(project.settings):
        return Check(name="web_ui", ok=False, detail=text, remedy="mystocks reload")
    loading = ", and is loading the task file" if reload_state.under_way(project.settings) else ""
    return Check(name="web_ui", ok=True, detail=f"answers at {address}{loading}")


def _location_trouble(workspace: dict[str, Any]) -> str | None:
    """Return why the code location is not loaded; None if it is."""
    if workspace["__typename"] != "Workspace":
        return workspace.get("message", workspace["__typename"])
    entry = next((entry for entry in workspace["locationEntries"] if entry["name"] == LOCATION), None)
    loaded: dict[str, Any] = (entry or {}).get("locationOrLoadError") or {"__typename": "it is still being loaded"}
    if loaded["__typename"] == "RepositoryLocation":
        return None
    # The first error only says that loading failed; the last one is its cause.
    innermost = loaded.get("causes") or [loaded]
    return innermost[-1].get("message", loaded["__typename"]).strip().splitlines()[0]


def _or_none(value: Callable[[], Any]) -> Any:
    """Return a value, or None if it raises an error, which another check reports."""
    try:
        return value()
    except Exception:  # noqa: BLE001 - as in `checked`
        return None
