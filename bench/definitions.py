"""Loading many tasks compared with hand-written definitions: `python bench/definitions.py [TASKS ...]`.

Each part is a process of its own that does what a code server does: load the definitions, build their snapshot and
serialize it; then the same once more after one task was edited. The hand-written ones are a job with one op, a retry
policy, tags, a description and a schedule for each task. The import of Dagster and of the loader is not counted; the
rows of 100 and of 1,000 tasks say whether the cost grows with their number only.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ENTRY = """  - task_id: task_{number:04}
    task_name: 任务 {number}
    description: Task {number} of many{edited}.
    schedule: {{cron_expression: '{minute} 18 * * 1-5'}}
"""
HEAD = """task_packages: [first]
defaults: {task_type: cron, task_module: first, task_function: nothing, retry_count: 2, retry_delay: 30, tags: [many],
  schedule: {schedule_type: cron, timezone: Asia/Shanghai}}
tasks:
"""
PLAIN = """
import dagster as dg


def make(number, edited):
    description = f"Task {number} of many{edited}."

    @dg.op(name=f"op_{number:04}", retry_policy=dg.RetryPolicy(max_retries=2, delay=30), tags={"many": ""},
        description=description)
    def nothing():
        return None

    @dg.job(name=f"task_{number:04}", description=description, tags={"many": ""})
    def job():
        nothing()

    return dg.ScheduleDefinition(job=job, cron_schedule=f"{number % 60} 18 * * 1-5",
        execution_timezone="Asia/Shanghai", default_status=dg.DefaultScheduleStatus.RUNNING)


def build(tasks, edited):
    schedules = [make(number, edited if number == 0 else "") for number in range(tasks)]
    return dg.Definitions(jobs=[schedule.job for schedule in schedules], schedules=schedules)
"""


def loader_of(kind: str, folder: Path, tasks: int) -> Callable[[str], Any]:
    """Return a function that loads the definitions, with the first task's description edited."""
    if kind == "hand-written":
        (folder / "plain.py").write_text(PLAIN, encoding="utf-8")
        sys.path.insert(0, str(folder))
        import plain

        return lambda edited: plain.build(tasks, edited)
    from mystocks_dagster.factory.load import load_definitions

    (folder / "first.py").write_text("def nothing(params):\n    return None\n", encoding="utf-8")

    def load(edited: str) -> Any:
        entries = (
            ENTRY.format(number=number, minute=number % 60, edited="" if number else edited) for number in range(tasks)
        )
        (folder / "tasks.yaml").write_text(HEAD + "".join(entries), encoding="utf-8")
        return load_definitions()

    return load


def measure(kind: str, folder: Path, tasks: int) -> list[float]:
    """Return the processor seconds of the first load and of one after an edit."""
    from dagster._core.definitions.definitions_load_context import DefinitionsLoadContext, DefinitionsLoadType
    from dagster._core.remote_representation.external_data import RepositorySnap
    from dagster._serdes import serialize_value

    load, found = loader_of(kind, folder, tasks), []
    for edited in ("", ", edited"):
        begun = time.process_time()
        DefinitionsLoadContext.set(DefinitionsLoadContext(load_type=DefinitionsLoadType.INITIALIZATION))
        repository = load(edited).get_repository_def()
        snapshot = serialize_value(RepositorySnap.from_def(repository))
        found.append(time.process_time() - begun)
        assert f"Task 0 of many{edited}." in snapshot
        assert f"task_{tasks - 1:04}" in snapshot
    return found


def measured(kind: str, tasks: int) -> list[float]:
    """Measure in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in {"dagster.yaml": "{}\n", "workspace.yaml": "load_from: []\n"}.items():
            Path(folder, name).write_text(text, encoding="utf-8")
        command = [sys.executable, __file__, "--part", kind, folder, f"{tasks}"]
        result = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return json.loads(result.stdout.splitlines()[-1])


def main() -> None:
    """Print processor seconds and ratios."""
    if sys.argv[1:2] == ["--part"]:
        kind, folder, tasks = sys.argv[2:]
        print(json.dumps(measure(kind, Path(folder), int(tasks))))
        return
    for tasks in map(int, sys.argv[1:] or ("100", "1000")):
        rival = measured("hand-written", tasks)
        ours = measured("tasks.yaml", tasks)
        for what, first, second in zip(("load and snapshot", "the same after an edit"), rival, ours, strict=True):
            ratio = f"{second / first:.2f} x"
            print(f"{tasks:>5,} tasks, {what:<24} hand-written {first:6.2f} s   tasks.yaml {second:6.2f} s   {ratio}")


if __name__ == "__main__":
    main()
