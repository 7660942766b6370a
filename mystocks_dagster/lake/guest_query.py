"""One SELECT of a guest, in a process of its own: DuckDB's limit of memory does not count every text that it makes."""

import contextlib
import json
import os
import subprocess
import sys
from dataclasses import asdict
from typing import NoReturn

import polars as pl

from mystocks_dagster import errors
from mystocks_dagster.errors import LakeError, QueryRefused
from mystocks_dagster.lake.sql import Bounds
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.settings import Settings

#: Bytes that the process may use beside DuckDB's own limit: for its libraries and their threads, and for the answer.
_BESIDE = 2_000_000_000
#: Seconds for the process to start, beside the time of the query.
_TO_START = 30.0
#: The exit code of a query that is refused, with the reason as JSON.
_REFUSED = 3


def query_as_guest(settings: Settings, sql: str, bounds: Bounds | None = None) -> pl.DataFrame:
    """Run one SELECT within bounds that hold whatever it does.

    Args:
        settings: The project, whose lake is read.
        sql: The SELECT.
        bounds: What it may cost; None means the defaults.

    Raises:
        LakeError: As in `Lake.query`, or the query needed more memory than it may.
    """
    bounds = bounds or Bounds()
    request = json.dumps({"lake": settings.lake, "sql": sql, "bounds": asdict(bounds)}).encode()
    command = [sys.executable, "-m", "mystocks_dagster.lake.guest_query"]
    environment = {**os.environ, "MYSTOCKS_ROOT": str(settings.root)}
    try:
        ended = subprocess.run(
            command,
            input=request,
            capture_output=True,
            cwd=settings.root,
            env=environment,
            timeout=bounds.seconds + _TO_START if bounds.seconds else None,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise QueryRefused(f"The query took longer than {bounds.seconds:g} s and was stopped.") from None
    if ended.returncode == 0:
        return pl.read_ipc(ended.stdout)
    if ended.returncode == _REFUSED:
        kind, message = json.loads(ended.stdout)
        raise getattr(errors, kind, LakeError)(message)
    raise QueryRefused(
        "The query needed more memory than it may have and was stopped. Make shorter texts, or run it with: "
        "mystocks data query"
    )


def main() -> NoReturn:
    """Answer the request on the standard input: an Arrow file, or why it is refused."""
    request = json.load(sys.stdin)
    bounds = Bounds(**request["bounds"])
    if bounds.memory:
        _limit_memory(bounds.memory + _BESIDE)
    try:
        answer = Lake(request["lake"]).query(request["sql"], bounds=bounds)
    except LakeError as error:
        sys.stdout.write(json.dumps([type(error).__name__, str(error)]))
        sys.exit(_REFUSED)
    answer.write_ipc(sys.stdout.buffer)
    sys.exit(0)


def _limit_memory(size: int) -> None:
    import resource

    # macOS has the limit and does not keep it.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (size, size))


if __name__ == "__main__":
    main()
