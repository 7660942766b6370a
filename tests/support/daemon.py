"""Single looks of Dagster's daemon at schedules and sensors, at a time of our choice, and killed where a test wants
it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import dagster as dg
import psutil
from support.processes import stop_and_kill
from support.project import Folder

from mystocks_dagster.dagster_internals import InstigatorType, ScheduleInstigatorData
from mystocks_dagster.factory import fork_server

LOOK = """
import json, logging, os, signal, sys
from datetime import datetime
from dagster._daemon.sensor import execute_sensor_iteration
from dagster._scheduler.scheduler import launch_scheduled_runs
from mystocks_dagster.dagster_internals import WorkspaceFileTarget, WorkspaceProcessContext
from mystocks_dagster.factory import asking, scheduler
from mystocks_dagster.instance import open_instance
from mystocks_dagster.settings import Settings

at, crashes = sys.argv[1], json.loads(sys.argv[2])
flags = {name: {point: signal.SIGKILL} for name, point in crashes.items()}
logging.basicConfig(level=logging.INFO)
log = logging.getLogger("look")

def kill_after(name, times, step):
    def stepped(*arguments):
        result = step(*arguments)
        times.pop()
        return result if times else os.kill(os.getpid(), signal.SIGKILL)
    setattr(asking, name, stepped)

if len(sys.argv) > 3:
    scheduler._AT_ONCE = int(sys.argv[3])
    if len(sys.argv) > 4:
        kill_after(sys.argv[4], [None] * int(sys.argv[5]), getattr(asking, sys.argv[4]))
target = WorkspaceFileTarget(["workspace.yaml"])
with open_instance(Settings.from_env()) as instance, WorkspaceProcessContext(instance, target) as workspace:
    if at:
        # One state for all looks, as the daemon has: a code server that was loaded before goes on.
        usual, looks = scheduler.UsualStarts(workspace, log.getChild("usual")), []
        for moment in map(datetime.fromisoformat, at.split(",")):
            looks += usual.ask(moment)
            looks += launch_scheduled_runs(workspace, log, moment, {}, debug_crash_flags=flags)
    else:
        looks = execute_sensor_iteration(workspace, log, None, None, debug_crash_flags=flags)
    errors = [error.message for error in looks if hasattr(error, "message")]
sys.exit("".join(errors) or 0)
"""


def look(
    folder: Folder,
    at: str = "",
    crashes: Mapping[str, str] | None = None,
    *,
    now: bool = True,
    steps: tuple[object, ...] = (),
) -> str:
    """Let the daemon look once, with a code server of its own; runs that it asks for stay in the queue.

    Args:
        folder: The project.
        at: With a time, it looks at the schedules, at that time; without, at the sensors, now.
        now: Whether our own clock stands at that time too.
        crashes: Name of a schedule or sensor to the point in Dagster's code at which the daemon is killed.
        steps: Number of usual starts that are asked for at once; the step of ours after which the daemon is killed, and
            how often it is done before.

    Returns:
        What the daemon has logged.
    """
    env = folder.environment | ({"MYSTOCKS_NOW": at} if at and now else {})
    command = [sys.executable, "-c", LOOK, at, json.dumps(crashes or {}), *map(str, steps)]
    # Not a pipe: a killed daemon leaves its code server behind, which would hold the pipe open.
    log = folder.root / "look.log"
    with log.open("wb") as output:
        daemon = subprocess.Popen(
            command, cwd=folder.root, env=env, stdout=output, stderr=output, start_new_session=True
        )
        ended = daemon.wait(150)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(daemon.pid, signal.SIGKILL)
    text = log.read_text(encoding="utf-8")
    assert ended == (-signal.SIGKILL if crashes or len(steps) > 1 else 0), text
    return text


def look_at_times(folder: Folder, times: list[str], *steps: object) -> str:
    """Let one daemon look at the schedules at each of those times in turn, by the code server that it started with."""
    return look(folder, ",".join(times), now=False, steps=steps)


@contextmanager
def instance_of(folder: Folder) -> Iterator[dg.DagsterInstance]:
    """Open the project's instance in the test's own process."""
    from mystocks_dagster.dagster_internals import InstanceRef

    with dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(folder.root / ".dagster"))) as instance:
        yield instance


def schedules_since(instance: dg.DagsterInstance, moment: str) -> None:
    """Make the instance believe that its daemon has been down since that time."""
    for state in instance.all_instigator_state(instigator_type=InstigatorType.SCHEDULE):
        cron: Any = state.instigator_data
        since = datetime.fromisoformat(moment).timestamp()
        instance.update_instigator_state(state.with_data(ScheduleInstigatorData(cron.cron_schedule, since, since)))


def requested(instance: dg.DagsterInstance, job: str) -> list[dict[str, str]]:
    """Return the tags of the runs of a job, in the order in which they were due."""
    runs = instance.get_runs(dg.RunsFilter(job_name=job))
    return sorted((dict(run.tags) for run in runs), key=lambda tags: tags["dagster/mystocks_scheduled_at"])


def workers(folder: Folder) -> list[psutil.Process]:
    """Return the processes of the project's runs."""
    return list(_workers(folder).values())


def worker(folder: Folder, run_id: str) -> psutil.Process:
    """Return the process of a run that is under way."""
    return _workers(folder)[run_id]


def _workers(folder: Folder) -> dict[str, psutil.Process]:
    """Return the processes of the project's runs by their run: those with an interpreter of their own, and forks."""
    found: dict[str, psutil.Process] = {}
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or ())
        if "mystocks_dagster.factory.worker" in line and str(folder.root) in line:
            found[json.loads(process.info["cmdline"][-1])["pipeline_run_id"]] = process
    for home in (folder.root / ".dagster" / "storage").glob("*/worker.json"):
        identity = fork_server.forked(home.parent)
        if identity and identity.alive():
            found[home.parent.name] = psutil.Process(identity.pid)
    return found


def kill_workers(folder: Folder) -> None:
    """Kill the processes of the runs: they outlive the servers, on purpose, and nothing may outlive the tests."""
    stop_and_kill(workers(folder))
