"""Replacement of four of Dagster's daemons by subclasses, and a log without their looks.

Dagster has no setting for that; see docs/decisions/0021.
"""

import sys
from types import ModuleType

from mystocks_dagster.dagster_internals import DAEMON_CONTROLLER_MODULE, EVALUATING_DAEMONS
from mystocks_dagster.settings import Settings


def use_own_daemons() -> None:
    """Replace the daemon classes in the daemon's process, before it creates its daemons; elsewhere do nothing."""
    controller = sys.modules.get(DAEMON_CONTROLLER_MODULE)
    if controller is not None:
        _replace(controller)


def _replace(controller: ModuleType) -> None:
    from mystocks_dagster.factory.daemon_log import quieten
    from mystocks_dagster.factory.monitoring import MonitorDaemon
    from mystocks_dagster.factory.restarting import RestartDaemon
    from mystocks_dagster.factory.run_queue import QueueDaemon
    from mystocks_dagster.factory.scheduler import ScheduleDaemon

    replacements = {
        "QueuedRunCoordinatorDaemon": QueueDaemon,
        "EventLogConsumerDaemon": RestartDaemon,
        "MonitoringDaemon": MonitorDaemon,
        "SchedulerDaemon": ScheduleDaemon,
    }
    for name, own in replacements.items():
        if not hasattr(controller, name):
            raise RuntimeError(f"This release of Dagster has no {name}; install the release that pyproject.toml names.")
        setattr(controller, name, own)
    if not Settings.from_env().log_json:  # a program that reads the log picks its lines itself
        quieten([*EVALUATING_DAEMONS, *(own.__name__ for own in replacements.values())])
