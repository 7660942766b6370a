"""The REST server in the foreground."""

import socket
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from mystocks_dagster.addresses import bind, check_host, url
from mystocks_dagster.alerts.daemon_watch import watching
from mystocks_dagster.api.app import create_app
from mystocks_dagster.api.connections import LimitedProtocol
from mystocks_dagster.gc_tuning import tune_server_gc
from mystocks_dagster.instance import address_note, prepare_home
from mystocks_dagster.project.servers import stop_on_signals
from mystocks_dagster.project.users import check_door
from mystocks_dagster.settings import Settings
from mystocks_dagster.version_stamp import refuse_newer

#: File in the instance's folder with the address of the running server.
ADDRESS_FILE = "api.json"
#: Largest websocket message in bytes; a subscription of Dagster's UI has some thousands.
_MAX_MESSAGE = 1_000_000
#: Time for open requests to finish after a stop signal.
_GRACE_SECONDS = 5


def serve(settings: Settings, host: str, port: int, report: Callable[[str], None]) -> None:
    """Serve until a stop signal.

    Args:
        settings: The project's settings.
        host: Address to listen on.
        port: Port to listen on; 0 for any free one.
        report: Receives the lines for the terminal.

    Raises:
        SettingsError: The port is taken, the host is not an address of this machine, other machines could reach it
            without a token, or a newer version has brought the project along.
    """
    check_host(settings, host)
    refuse_newer(settings)
    home = prepare_home(settings)
    check_door(settings)
    listener = bind(host, port)
    address = url(host, listener.getsockname()[1])
    app = create_app(settings)
    # Uvicorn raises the signal that ended it again, for these handlers.
    stop_on_signals()
    address_file = home / ADDRESS_FILE
    address_file.write_text(address_note(address), encoding="utf-8")
    report(f"Tasks: {address}/tasks. REST: {address}/api/tasks/ (reference: {address}/docs). Stop with Ctrl-C.")
    try:
        with watching(settings):
            run(app, listener, own_logs=settings.log_json)
    except KeyboardInterrupt:
        report("stopped")
    finally:
        address_file.unlink(missing_ok=True)


def run(app: ASGIApp, listener: socket.socket, *, websockets: bool = False, own_logs: bool = False) -> None:
    """Serve an application until a stop signal, then raise the signal again.

    Args:
        app: The application.
        listener: The socket on which it listens.
        websockets: Whether it serves websockets.
        own_logs: Whether this process has set up its logs itself; uvicorn does it otherwise.
    """
    config = uvicorn.Config(
        app,
        http=LimitedProtocol,
        ws="auto" if websockets else "none",
        ws_max_size=_MAX_MESSAGE,
        log_level="warning",
        log_config=None if own_logs else uvicorn.config.LOGGING_CONFIG,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    tune_server_gc()
    uvicorn.Server(config).run(sockets=[listener])
