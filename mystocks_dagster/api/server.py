"""The REST interface as a foreground service."""

import json
import os
import socket
from collections.abc import Callable

import uvicorn

from mystocks_dagster.alerts.daemon import watching
from mystocks_dagster.api.app import create_app
from mystocks_dagster.api.guards import is_loopback
from mystocks_dagster.errors import SettingsError
from mystocks_dagster.instance import prepare_home
from mystocks_dagster.servers import stop_on_signals
from mystocks_dagster.settings import Settings

#: Where the address of the running server is noted, beside that of the web UI.
ADDRESS_FILE = "api.json"
#: Calls under way may go on for so long when the server is told to stop.
_GRACE_SECONDS = 5


def serve(settings: Settings, host: str, port: int, say: Callable[[str], None]) -> None:
    """Serve until told to stop.

    Raises:
        SettingsError: The port is taken, the host is none of this machine's, or strangers could reach it without a token.
    """
    if not is_loopback(host) and settings.api_token is None:
        raise SettingsError(
            f"{host} can be reached from other machines, which could then start and change tasks. Set MYSTOCKS_API_TOKEN to a long "
            "random text (such as `openssl rand -hex 32` gives), or listen on 127.0.0.1."
        )
    home = prepare_home(settings)
    listener = _listen(host, port)
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{listener.getsockname()[1]}"
    config = uvicorn.Config(
        create_app(settings), log_level="warning", server_header=False, ws="none", timeout_graceful_shutdown=_GRACE_SECONDS
    )
    # Uvicorn raises the signal that ended it once more, for these.
    stop_on_signals()
    note = home / ADDRESS_FILE
    note.write_text(json.dumps({"address": address, "pid": os.getpid()}), encoding="utf-8")
    say(f"The tasks are at {address}/tasks, the REST interface at {address}/api/tasks/ (its calls: {address}/docs). Stop with Ctrl-C.")
    try:
        with watching(settings):
            uvicorn.Server(config).run(sockets=[listener])
    except KeyboardInterrupt:
        say("stopped")
    finally:
        note.unlink(missing_ok=True)


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise SettingsError(f"Cannot listen on {host}:{port}: {error.strerror}. Name another with --host and --port.") from None
    return listener
