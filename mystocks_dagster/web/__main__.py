"""`python -m mystocks_dagster.web`: the web process, which `mystocks ui` starts and stops."""

import argparse
import os
import sys
import threading
import time
from pathlib import Path

from mystocks_dagster.addresses import bind, check_host
from mystocks_dagster.errors import MyStocksError
from mystocks_dagster.instance import prepare_home
from mystocks_dagster.processes.log_lines import use_json
from mystocks_dagster.project.servers import stop_on_signals
from mystocks_dagster.secret_files import read_secret_files
from mystocks_dagster.settings import Settings


def main() -> int:
    """Serve until a stop signal or the end of the parent process; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m mystocks_dagster.web", description="Serve pages, REST and Dagster's UI."
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=3000, help="port to listen on")
    parser.add_argument(
        "--workspace", type=Path, help="workspace file that names the code servers; default: the project's"
    )
    arguments = parser.parse_args()
    try:
        _serve(arguments.host, arguments.port, arguments.workspace)
    except MyStocksError as error:
        print(f"Error: {error}", file=sys.stderr)  # noqa: T201 - a command of its own
        return error.exit_code
    except KeyboardInterrupt:
        pass
    return 0


def _serve(host: str, port: int, workspace: Path | None) -> None:
    read_secret_files()
    settings = Settings.from_env()
    check_host(settings, host)
    prepare_home(settings)
    listener = bind(host, port)
    stop_on_signals()
    _end_with_parent()
    if settings.log_json:
        use_json()
    # Imported here because it is slow: the port and the settings are checked first.
    from mystocks_dagster.api.server import run
    from mystocks_dagster.web.app import web_app

    with web_app(settings, workspace or settings.root / "workspace.yaml") as app:
        run(app, listener, websockets=True, own_logs=settings.log_json)


def _end_with_parent() -> None:
    """End this process when its parent has ended, also after a kill of the parent."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())
