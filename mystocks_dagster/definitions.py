"""What Dagster loads: the tasks of tasks.yaml. Nothing happens at import."""

from typing import TYPE_CHECKING, Any

import dagster as dg

if TYPE_CHECKING:
    from mystocks_dagster.settings import Settings


@dg.definitions
def defs() -> dg.Definitions:
    """Return the tasks of tasks.yaml as ops, assets, jobs and schedules, and the jobs that look after the project."""
    from mystocks_dagster.factory.load import load_definitions
    from mystocks_dagster.factory.management import Hands

    return load_definitions(Hands(clean=_clean, reload=_reload))


def _clean(settings: "Settings", days: int, dry_run: bool) -> dict[str, Any]:
    from mystocks_dagster.service import Project

    return Project(settings).cleanup(days, dry_run=dry_run).to_json()


def _reload(settings: "Settings") -> str:
    from mystocks_dagster.reloading import reload

    done = reload(settings)
    at = f"the web UI at {done.address} uses it now, the daemon within a minute" if done.address else "no web UI runs that had to be told"
    return f"saved as version {done.version.hash}; {at}."
