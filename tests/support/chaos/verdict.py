"""What must be true after a week, however bad it was; each sentence that is not true is a fault of the product."""

import json
import re
import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import dagster as dg
from support.chaos.plant import Plant
from support.chaos.week import SUPERVISOR, Week
from support.daemon import instance_of
from support.project import Folder, wait_for

DONE = {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}
_DUE, _RESTARTED = "dagster/mystocks_scheduled_at", "dagster/parent_run_id"
_MAY_RESTART, _WILL_RESTART = "dagster/max_retries", "dagster/will_retry"


@dataclass
class Verdict:
    """The sentences that are not true, and the figures.

    Attributes:
        faults: What is wrong, in words.
        figures: What was counted.
    """

    faults: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)

    def check(self, true: object, otherwise: str) -> None:
        """Note a fault if it is not true."""
        if not true:
            self.faults.append(otherwise)


def wait_until_quiet(plant: Plant, week: Week, seconds: float) -> list[str]:
    """Wait until every start was asked for, its runs have ended and the supervisor lives; return what is not yet so."""
    due = week.due()

    def missing() -> list[str]:
        runs = list(instance.get_runs())
        asked = asked_for(runs)
        left = [f"{job} {at}" for job, times in due.items() for at in times if not asked.get((job, at))]
        left += [f"{run_id} is not started again" for run_id in _to_be_restarted(runs)]
        if not any(run.job_name == SUPERVISOR and run.status == dg.DagsterRunStatus.STARTED for run in runs):
            left.append("the supervisor does not live")
        unfinished = [run for run in runs if run.status not in DONE and run.job_name != SUPERVISOR]
        return left + [f"{run.job_name} {run.run_id} is {run.status.value}" for run in unfinished]

    # Opened once: opening it takes longer than a look, and the servers need the processor.
    with instance_of(plant.folder) as instance:
        try:
            wait_for(lambda: plant.up and not missing(), seconds, "a quiet deployment")
        except AssertionError:
            return missing() or ["the servers are not up"]
    return []


def _to_be_restarted(runs: list[dg.DagsterRun]) -> set[str]:
    """Return the lost runs that are started again, or may be, and are not yet."""
    replaced = {run.tags.get(_RESTARTED) for run in runs}
    return {
        run.run_id
        for run in runs
        if run.status == dg.DagsterRunStatus.FAILURE
        and run.job_name != SUPERVISOR
        and run.tags.get(_MAY_RESTART) == "1"
        and run.tags.get(_WILL_RESTART) != "false"
        and run.run_id not in replaced
    }


def asked_for(runs: list[dg.DagsterRun]) -> dict[tuple[str, datetime], list[dg.DagsterRun]]:
    """Return the runs by job and due time; a run in place of a lost one is not asked for again."""
    found: dict[tuple[str, datetime], list[dg.DagsterRun]] = {}
    for run in runs:
        if (at := run.tags.get(_DUE)) and _RESTARTED not in run.tags:
            found.setdefault((run.job_name, datetime.fromisoformat(at)), []).append(run)
    return found


def judge(plant: Plant, week: Week) -> Verdict:
    """Look at a quiet deployment, stop it, and look at what is left."""
    verdict = Verdict()
    with instance_of(plant.folder) as instance:
        runs = list(instance.get_runs())
        _starts(verdict, week, runs)
        _restarts(verdict, runs)
        verdict.check(
            not (left := [run for run in runs if run.status not in DONE and run.job_name != SUPERVISOR]),
            f"runs that have not ended: {[(run.job_name, run.status.value) for run in left]}",
        )
        verdict.check(
            len([run for run in runs if run.job_name == SUPERVISOR and run.status not in DONE]) == 1,
            "the supervisor does not live, or more than one does",
        )
        _slots(verdict, instance)
        _work(verdict, runs, plant, instance)
    _notes(verdict, plant.folder)
    _statistics(verdict, plant.folder)
    _processes(verdict, plant)
    _growth(verdict, plant)
    return verdict


def _starts(verdict: Verdict, week: Week, runs: list[dg.DagsterRun]) -> None:
    asked, due = asked_for(runs), week.due()
    twice = [f"{job} {at}: {len(of)}" for (job, at), of in asked.items() if len(of) > 1]
    verdict.check(not twice, f"starts that were asked for more than once: {twice}")
    missed = [f"{job} {at}" for job, times in due.items() for at in times if (job, at) not in asked]
    verdict.check(not missed, f"starts that were never asked for: {missed}")
    known = {(job, at) for job, times in due.items() for at in times}
    # A clock that was set back to before the first moment passes it: the interval begins then.
    extra = [f"{job} {at}" for job, at in asked if (job, at) not in known and week.begin < at < week.end]
    verdict.check(not extra, f"starts that were not due: {extra}")
    verdict.figures["starts due"] = len(known)


def _restarts(verdict: Verdict, runs: list[dg.DagsterRun]) -> None:
    """A run in place of a lost one is made once, and only for one that failed."""
    counted = Counter(run.parent_run_id for run in runs if run.parent_run_id)
    verdict.check(
        not (many := {key: number for key, number in counted.items() if number > 1}), f"restarted twice: {many}"
    )
    verdict.check(
        not (forgotten := _to_be_restarted(runs)), f"lost runs that were not started again: {sorted(forgotten)}"
    )
    verdict.figures["runs"] = len(runs)
    verdict.figures["lost runs started again"] = len(counted)
    verdict.figures["runs that failed"] = sum(run.status == dg.DagsterRunStatus.FAILURE for run in runs)


def _slots(verdict: Verdict, instance: dg.DagsterInstance) -> None:
    storage = instance.event_log_storage
    taken = {}
    for key in storage.get_concurrency_keys():
        info = storage.get_concurrency_info(key)
        if key != f"task_{SUPERVISOR}" and (info.active_slot_count or info.pending_step_count):
            taken[key] = (info.active_slot_count, info.pending_step_count)
    verdict.check(not taken, f"slots of pools that are taken though nothing runs: {taken}")


def _work(verdict: Verdict, runs: list[dg.DagsterRun], plant: Plant, instance: dg.DagsterInstance) -> None:
    """Each start did its work once, unless a fault hit each of its attempts; nothing is told as done that was not."""
    done = Counter(line["run"] for line in _lines(plant.folder) if line["what"] == "done")
    again = {run.parent_run_id: run for run in runs if run.parent_run_id}
    attempts = {run.run_id: 1 + _count(instance, run, dg.DagsterEventType.STEP_RESTARTED) for run in runs}
    many = {run_id: number for run_id, number in done.items() if number > attempts[run_id]}
    verdict.check(not many, f"runs that did their work more often than they tried to: {many}")
    reasons: Counter[str] = Counter()
    for (job, at), of in asked_for(runs).items():
        last = again.get(of[0].run_id, of[0])
        if last.status != dg.DagsterRunStatus.SUCCESS:
            reasons[_reason(instance, last)] += 1
        elif job != "daily":
            verdict.check(done[of[0].run_id] + done[last.run_id], f"{job} {at} succeeded without its work")
    verdict.figures["starts that failed, and why"] = dict(reasons)


def _count(instance: dg.DagsterInstance, run: dg.DagsterRun, kind: dg.DagsterEventType) -> int:
    return len(instance.all_logs(run.run_id, of_type=kind))


def _reason(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str:
    """Return why a run failed, in its own words, without what differs from run to run."""
    kinds = {dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE}
    events = [entry.get_dagster_event() for entry in instance.all_logs(run.run_id, of_type=kinds)]
    steps = [event.step_failure_data.error_display_string for event in events if event.is_step_failure]
    text = (steps or [event.message or "" for event in events] or [run.status.value])[-1]
    return re.sub(r"[0-9a-f-]{8,}|\d+", "…", " ".join(text.split()))[:160]


def _notes(verdict: Verdict, folder: Folder) -> None:
    """Tasks never worked side by side."""
    beside = [line for line in _lines(folder) if line["what"] == "not alone"]
    verdict.check(not beside, f"tasks worked beside another one {len(beside)} times: {beside[:3]}")


def _lines(folder: Folder) -> list[dict[str, Any]]:
    """Return what the tasks wrote down."""
    notes = sorted((folder.root / "notes").glob("*.jsonl"))
    return [json.loads(line) for path in notes for line in path.read_text(encoding="utf-8").splitlines()]


def _statistics(verdict: Verdict, folder: Folder) -> None:
    before = folder.json("stats")
    verdict.check(before == folder.json("stats", "--rebuild"), "statistics differ from those of a rebuild")
    broken = sqlite_faults(folder)
    verdict.check(not broken, f"damaged databases: {broken}")


def sqlite_faults(folder: Folder) -> list[str]:
    """Return the databases of the instance that SQLite finds damaged."""
    found = []
    for path in (folder.root / ".dagster").rglob("*.db"):
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
            if (told := database.execute("PRAGMA integrity_check").fetchone()[0]) != "ok":
                found.append(f"{path.name}: {told}")
    return found


def _processes(verdict: Verdict, plant: Plant) -> None:
    plant.folder.mystocks("disable", SUPERVISOR)

    with instance_of(plant.folder) as instance:

        def lives() -> bool:
            runs = instance.get_runs(dg.RunsFilter(job_name=SUPERVISOR))
            return any(run.status not in DONE for run in runs)

        try:
            wait_for(lambda: not lives(), 60, "the end of the supervisor that was switched off")
        except AssertionError as error:
            verdict.faults.append(str(error))
    plant.stop()

    def left() -> list[str]:
        return [f"{plant.role(one)} {one.pid}" for one in plant.processes()]

    try:
        wait_for(lambda: not left(), 30, "the end of all processes")
    except AssertionError:
        verdict.faults.append(f"processes that outlive the servers: {left()}")
    if plant.database:
        open_still = plant.database.connections()
        verdict.check(not open_still, f"connections to the database that nobody uses: {open_still}")


def _growth(verdict: Verdict, plant: Plant) -> None:
    """Servers that lived for minutes hold no more at the end of their life than soon after its beginning."""
    for role in sorted({sample.role for sample in plant.samples}):
        of_role = [sample for sample in plant.samples if sample.role == role]
        verdict.figures[f"{role}: most megabytes"] = round(max(sample.megabytes for sample in of_role))
        verdict.figures[f"{role}: most descriptors"] = max(sample.descriptors for sample in of_role)
        for pid in {sample.pid for sample in of_role}:
            life = sorted((sample for sample in of_role if sample.pid == pid), key=lambda sample: sample.age)
            early = [sample for sample in life if 60 <= sample.age < 120]
            late = [sample for sample in life if sample.age >= max(240, life[-1].age - 60)]
            if early and late:
                verdict.check(
                    min(sample.descriptors for sample in late) <= max(sample.descriptors for sample in early) + 20,
                    f"{role} {pid} leaks descriptors: {early[0].descriptors} → {late[-1].descriptors}",
                )
                verdict.check(
                    min(sample.megabytes for sample in late) <= 1.4 * max(sample.megabytes for sample in early) + 20,
                    f"{role} {pid} leaks memory: {early[0].megabytes:.0f} → {late[-1].megabytes:.0f} MB",
                )
