"""One fork server for the runs of all commands that a test process executes itself.

A command forks one of its own, where it can: a test process has threads. A run in a new interpreter costs it a second
of processor time more.
"""

import os
from functools import cache

import pytest
from support.quick_mode import QuickMode

from mystocks_dagster.factory import fork_server

#: It was started in no project, so each of its forks goes to the folder of its own.
_SERVER = """
import os
from mystocks_dagster.factory import forking

become = forking._become

def become_in_its_folder(request, permission):
    become(request, permission)
    os.chdir(os.environ["MYSTOCKS_ROOT"])

forking._become = become_in_its_folder
forking.main()
"""


def share_fork_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the commands of a test fork their runs from the server of this process; quick tests start none."""
    if QuickMode.chosen:
        return
    monkeypatch.setattr(fork_server, "_begun", [])
    monkeypatch.setattr(fork_server, "begin", lambda: fork_server._begun.append(_server()))


@cache
def _server() -> fork_server.ForkServer:
    with pytest.MonkeyPatch.context() as changed:
        changed.setattr(fork_server, "_SERVER", _SERVER)
        for name in [name for name in os.environ if name.startswith(("MYSTOCKS_", "DAGSTER_"))]:
            changed.delenv(name)
        return fork_server.ForkServer(patience=fork_server._FORK_SECONDS)
