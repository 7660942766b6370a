"""The REST interface as a foreground service."""

import json
import os
import socket
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from mystocks_dagster.addresses import bind, check_host, url
from mystocks_dagster.alerts.daemon_watch import watching
from mystocks_dagster.api.app import create_app
from mystocks_dagster.api.connections import LimitedProtocol
from mystocks_dagster.instance import prepare_home
from mystocks_dagster.project.servers import stop_on_signals
from mystocks_dagster.settings import Settings

#: Where the address of the running server is noted, beside that of the web UI.
ADDRESS_FILE = "api.json"
#: Bytes of a websocket's message; a subscription of Dagster's UI has some thousands.
_MAX_MESSAGE = 1_000_000
#: Calls under way may go on for so long when the server is told to stop.
_GRACE_SECONDS = 5


def serve(settings: Settings, host: str, port: int, say: Callable[[str], None]) -> None:
    """Serve until told to stop.

    Raises:
        SettingsError: The port is taken, the host is none of this machine's, or strangers could reach it without a
            token.
    """
    check_host(settings, host)
    home = prepare_home(settings)
    listener = bind(host, port)
    address = url(host, listener.getsockname()[1])
    app = create_app(settings)
    # Uvicorn raises the signal that ended it once more, for these.
    stop_on_signals()
    note = home / ADDRESS_FILE
    note.write_text(json.dumps({"address": address, "pid": os.getpid()}), encoding="utf-8")
    say(
        f"The tasks are at {address}/tasks, the REST interface at {address}/api/tasks/ (its calls: {address}/docs). Stop with Ctrl-C."
    )
    try:
        with watching(settings):
            run(app, listener)
    except KeyboardInterrupt:
        say("stopped")
    finally:
        note.unlink(missing_ok=True)


def run(app: ASGIApp, listener: socket.socket, *, websockets: bool = False) -> None:
    """Serve an application until this process is told to stop; the signal is raised once more then."""
    config = uvicorn.Config(
        app,
        http=LimitedProtocol,
        ws="auto" if websockets else "none",
        ws_max_size=_MAX_MESSAGE,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    uvicorn.Server(config).run(sockets=[listener])
