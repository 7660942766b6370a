"""Runs that wait and runs that are stopped, under the real daemon: nobody waits for another's pool, and a stop
holds."""

import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.daemon import kill_workers, workers
from support.project import Server, make_folder, serve, wait_for

TASKS = """
    task_packages: [held]
    defaults: {task_type: manual, task_module: held, task_function: hold}
    tasks:
      - {task_id: slow}
      - {task_id: left, task_function: first_writer}
      - {task_id: right, task_function: second_writer}
      - {task_id: days, task_function: by_day}
      - {task_id: clicked, task_type: data_sync}
      - {task_id: quick, task_function: pass_by}
      - {task_id: sync_ratings, task_module: mystocks_dagster.tasks.datasets, task_function: sync_dataset,
         params: {dataset: ratings}}
      - {task_id: stopped_0, task_function: note}
      - {task_id: stopped_1, task_function: note}
      - {task_id: stopped_2, task_function: note}
    task_groups:
      - {group_id: pair, tasks: [slow, quick]}
"""
HELD = """
    import time
    from pathlib import Path

    from mystocks_dagster.tasks.run import declares

    HERE = Path(__file__).parent

    def hold(params, run):
        (HERE / f"{run.run_id}.held").touch()
        while not (HERE / "go").exists():
            time.sleep(0.1)

    @declares(writes=("shares",))
    def first_writer(params, run):
        hold(params, run)

    @declares(writes=("own_signals",), also_writes=("shares",))
    def second_writer(params, run):
        hold(params, run)

    @declares(writes=("daily_bars",))
    def by_day(params, run):
        hold(params, run)

    def pass_by(params):
        pass

    def note(params, run):
        (HERE / f"{run.run_id}.began").write_text(str(time.time()))
        time.sleep(60)
"""
RATINGS = """
    title: 评级
    about: Ratings of analysts
    about_zh: 分析师评级
    domain: research
    key: [date, symbol]
    by_day: true
    files: {pattern: "incoming/ratings-*.csv"}
    columns:
      date: {source: day, type: day}
      symbol: {source: code, type: symbol}
      rating: {source: rating, type: text, unit: buy or sell}
"""
#: Seconds that are waited for another task; what it must not wait for does not end before the test does.
SOON = 150


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = make_folder(tmp_path_factory.mktemp("waiting") / "project")
    folder.write("tasks.yaml", TASKS)
    folder.write("held.py", HELD)
    folder.write("datasets/ratings.yaml", RATINGS)
    rows = [f"2024-01-{day:02},600519,buy" for day in (2, 3, 4, 5)]
    folder.write("incoming/ratings-january.csv", "\n".join(["day,code,rating", *rows]) + "\n")
    with serve(folder) as server:
        yield server
    kill_workers(folder)


def backfill(server: Server, days: list[str], table: str = "daily_bars") -> list[str]:
    """Start a backfill of days that do not follow each other: a run for each."""
    told = server.graphql(
        """mutation($days: [String!], $table: String!) { launchPartitionBackfill(backfillParams: {
             assetSelection: [{path: [$table]}], partitionNames: $days}) {
             __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }""",
        days=days,
        table=table,
    )["launchPartitionBackfill"]
    assert told["__typename"] == "LaunchBackfillSuccess", told
    query = "query($tags: [ExecutionTag!]) { runsOrError(filter: {tags: $tags}) { ... on Runs { results { runId } } } }"

    def runs() -> list[str] | None:
        tags = [{"key": "dagster/backfill", "value": told["backfillId"]}]
        found = [run["runId"] for run in server.graphql(query, tags=tags)["runsOrError"]["results"]]
        return found if len(found) == len(days) else None

    return wait_for(runs, 120, "the runs of the backfill")


def test_days_of_a_declared_dataset_are_backfilled_from_the_ui(server: Server) -> None:
    [run] = backfill(server, ["2024-01-04"], "ratings")
    assert server.wait(run) == "SUCCESS"
    told = server.graphql(
        """{ assetNodes(assetKeys: [{path: ["ratings"]}]) { partitionKeysByDimension(startIdx: 0) { partitionKeys }
             assetPartitionStatuses { ... on TimePartitionStatuses { ranges { startKey endKey status } } } } }"""
    )["assetNodes"][0]
    assert "2024-01-03" in told["partitionKeysByDimension"][0]["partitionKeys"]
    ranges = told["assetPartitionStatuses"]["ranges"]
    assert [(each["startKey"], each["endKey"], each["status"]) for each in ranges] == [
        ("2024-01-04", "2024-01-04", "MATERIALIZED"),
    ]
    rows = server.folder.json("data", "query", "SELECT date, symbol, rating FROM ratings ORDER BY date")
    assert rows == [{"date": "2024-01-04", "symbol": "600519.SH", "rating": "buy"}]


def eight(server: Server, what: str) -> list[str]:
    """Ask eight times for something of which one can run at a time."""
    match what:
        case "one task":
            return [server.launch("slow") for _ in range(8)]
        case "two tasks that write one table":
            return [server.launch(job) for job in ("left", "right") * 4]
        case "clicks on Materialize":
            return [server.materialize("clicked") for _ in range(8)]
        case "days of a backfill":
            return backfill(server, [f"2024-01-{day:02}" for day in (2, 4, 8, 10, 12, 16, 18, 22)])
        case _:
            return [server.launch("slow"), *(server.launch("pair") for _ in range(7))]


@pytest.mark.parametrize(
    "what",
    [
        "one task",
        "two tasks that write one table",
        "clicks on Materialize",
        "days of a backfill",
        "a group whose first task runs",
    ],
)
def test_eight_runs_that_wait_for_each_other_keep_no_other_task_waiting(server: Server, what: str) -> None:
    runs = eight(server, what)
    held = wait_for(
        lambda: [run for run in runs if (server.folder.root / f"{run}.held").exists()], 90, "the first of them"
    )
    assert server.wait(server.launch("quick"), SOON) == "SUCCESS"
    statuses = {run: server.status(run) for run in runs}
    assert [run for run, status in statuses.items() if status != "QUEUED"] == held
    for run in runs:
        terminate(server, run, "MARK_AS_CANCELED_IMMEDIATELY")
    assert {server.wait(run) for run in runs} == {"CANCELED"}
    assert [run for run in runs if (server.folder.root / f"{run}.held").exists()] == held


def terminate(server: Server, run_id: str, policy: str) -> bool:
    """Stop a run over GraphQL, and return whether the answer is that it is stopped."""
    told = server.graphql(
        "mutation($id: String!, $policy: TerminateRunPolicy) { terminateRun(runId: $id, terminatePolicy: $policy) {"
        " __typename } }",
        id=run_id,
        policy=policy,
    )["terminateRun"]
    return told["__typename"] == "TerminateRunSuccess"


def stop_at_random(server: Server, number: int) -> list[tuple[str, float]]:
    """Launch a task and stop it within three seconds, again and again; return when each stop was answered."""
    ends, chance = [], random.Random(number)
    for turn in range(8):
        run_id = server.launch(f"stopped_{number}")
        time.sleep(chance.uniform(0, 3))
        # Dagster refuses to stop a run politely while it starts.
        while not terminate(server, run_id, "SAFE_TERMINATE" if turn % 2 else "MARK_AS_CANCELED_IMMEDIATELY"):
            assert server.status(run_id) != "CANCELED", "it was stopped, and the answer says that it was not"
            time.sleep(0.1)
        answered = time.time()
        server.wait(run_id)
        ends.append((run_id, answered))
    return ends


# Each turn takes up to three seconds and the time in which a process starts and ends.
@pytest.mark.timeout(600)
def test_two_dozen_runs_stopped_at_any_moment_of_their_start_never_begin_afterwards(server: Server) -> None:
    with ThreadPoolExecutor(3) as pool:
        ends = [end for three in pool.map(lambda number: stop_at_random(server, number), range(3)) for end in three]
    # What was queued after them has run, and no process of theirs is left: nothing begins any more.
    assert server.wait(server.launch("quick"), SOON) == "SUCCESS"
    wait_for(lambda: not workers(server.folder), 60, "the end of the runs' processes")
    assert {run_id: server.status(run_id) for run_id, _ in ends} == {run_id: "CANCELED" for run_id, _ in ends}
    for run_id, answered in ends:
        began = server.folder.root / f"{run_id}.began"
        assert not began.exists() or float(began.read_text(encoding="utf-8")) < answered
