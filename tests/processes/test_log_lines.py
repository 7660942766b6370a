"""Log lines of a server: each is written once, in one format."""

import json
import subprocess
import sys

import pytest
from support.project import Folder

pytestmark = pytest.mark.slow

#: What a daemon does, and what Dagster's storages do while the database is away.
DAEMON = """
import logging, sys, sqlalchemy
from dagster._utils.log import configure_loggers
import dagster as dg
from contextlib import suppress
from dagster_postgres.utils import DagsterPostgresException, retry_pg_connection_fn
from mystocks_dagster.instance import prepare_home
from mystocks_dagster.settings import Settings

configure_loggers(formatter=sys.argv[1], log_level="INFO")
prepare_home(Settings.from_env())

def away():
    raise sqlalchemy.exc.OperationalError("SELECT 1", {}, Exception("it is away"))

with dg.DagsterInstance.get() as instance:
    instance.run_coordinator
    with suppress(DagsterPostgresException):
        retry_pg_connection_fn(away, retry_limit=0)
    logging.warning("a line of a library")
    logging.info("a detail of a library")
    logging.getLogger("dagster.daemon").debug("a detail")
    logging.getLogger("dagster.daemon").warning("what happened")
    logging.getLogger("mystocks.daemon").warning("what we say")
"""


@pytest.mark.parametrize("form", ["colored", "json"])
def test_the_daemons_lines_are_not_doubled_after_an_outage_of_the_database(folder: Folder, form: str) -> None:
    environment = {**folder.environment, "MYSTOCKS_LOG_FORMAT": "json" if form == "json" else "text"}
    command = [sys.executable, "-c", DAEMON, form]
    done = subprocess.run(command, cwd=folder.root, env=environment, capture_output=True, text=True, check=True)
    lines = (done.stdout + done.stderr).splitlines()
    if form == "json":
        lines = [json.loads(line)["event"] for line in lines]
    said = "\n".join(lines)
    assert [said.count(line) for line in ("what happened", "a line of a library", "what we say")] == [1, 1, 1]
    assert len(lines) == 3, said
