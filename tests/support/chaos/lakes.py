"""Whether the tables after a week of faults are those of a quiet week."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl
from deltalake import DeltaTable
from support.chaos.plant import Plant
from support.chaos.store import LAKE, Store
from support.chaos.upstream import Upstream, upstream
from support.chaos.verdict import Verdict
from support.chaos.week import Week
from support.project import Folder, make_folder

#: Columns that tell when a row was written, and so differ from week to week.
_MOMENTS = {"loaded_at", "updated_at", "known_at", "run_id"}
#: Columns that depend on how often and when one looked, by table: a state names the commits that it was computed from,
#: and a name is known from the first list that was read to the last.
_OF_THE_WAY = {"indicator_state": {"inputs"}, "stock_names": {"from_day", "until"}}
#: What can be asked for on its day only: the list of stocks, and the flows that the upstream's lists show. A day that
#: was missed stays missing, as when a machine was off.
_FLOWS = "capital_flow_sector"
_OF_ITS_DAY = {_FLOWS, f"loaded_days of {_FLOWS}", "loaded_days of stocks"}


def quiet_week(week: Week, root: Path) -> Folder:
    """Let a week without faults pass in a project of its own below `root`, evening after evening."""
    folder = make_folder(root)
    shutil.copy(Path(__file__).with_name("duty.py"), root / "duty.py")
    (root / "notes").mkdir()
    folder.write("tasks.yaml", week.tasks())
    folder.env = week.environment
    with upstream(lambda: week.begin) if week.asks else nullcontext() as hosts:
        if hosts:
            folder.env["MYSTOCKS_UPSTREAM"] = hosts.server.address
        for day in week.sessions:
            _evening(folder, day, hosts)
    return folder


def compare_lakes(verdict: Verdict, plant: Plant, week: Week, quiet: Folder) -> None:
    """Note in which tables the lake of the stormy project, whose servers have ended, differs from that of a quiet one.

    The stormy project syncs once more, as on the next evening: what failed on the last one is complete then.
    """
    stormy = plant.folder
    stormy.env = {name: value for name, value in stormy.env.items() if name not in plant.world.environment}
    _evening(stormy, week.sessions[-1], plant.upstream)
    there = {f"{LAKE}/{name}" for name in plant.store.tables()} if plant.store else set()
    days = [session.date() for session in week.sessions]
    found, expected = _tables({*there, *_in_folder(stormy)}, plant.store), _tables(_in_folder(quiet))
    verdict.faults += differences(found, expected, days)
    if _FLOWS in expected:
        verdict.figures["sessions of which the flows are missing"] = len({*days} - {*found[_FLOWS]["date"]})


def _evening(folder: Folder, day: datetime, hosts: Upstream | None) -> None:
    """Sync what is published in the evening of a day."""
    jobs = {"daily": timedelta(hours=16, minutes=5)}
    if hosts:
        jobs |= {"flows": timedelta(hours=17, minutes=50), "billboard": timedelta(hours=21, minutes=45)}
    for job, clock in jobs.items():
        moment = day + clock
        if hosts:
            hosts.now = lambda moment=moment: moment
        folder.env["MYSTOCKS_NOW"] = moment.isoformat()
        folder.mystocks("run", job, timeout=900)


def _in_folder(folder: Folder) -> set[str]:
    """Return the tables of the lake, if it is in a folder, and of the one with what was asked of the upstream."""
    return {str(log.parent) for lake in ("data", "asked") for log in (folder.root / lake).rglob("_delta_log")}


def _tables(places: set[str], store: Store | None = None) -> dict[str, pl.DataFrame]:
    """Return tables by name, sorted, without the columns that tell how and when a row came about.

    `loaded_days` is one for each table that it is about.
    """
    found: dict[str, pl.DataFrame] = {}
    for place in sorted(places):
        name = Path(place).name
        options = store.environment if store and place.startswith(LAKE) else None
        frame = pl.DataFrame(DeltaTable(place, storage_options=options).to_pyarrow_table())
        frame = frame.select(sorted(set(frame.columns) - _MOMENTS - _OF_THE_WAY.get(name, set())))
        frames = {name: frame}
        if name == "loaded_days":
            frames = {f"{name} of {of}": frame.filter(table=of) for of in frame["table"].unique()}
        assert not frames.keys() & found.keys(), places
        found |= {name: frame.sort(frame.columns) for name, frame in frames.items()}
    return found


def differences(stormy: dict[str, pl.DataFrame], quiet: dict[str, pl.DataFrame], days: Sequence[date]) -> Iterator[str]:
    """Yield in which tables two lakes differ.

    Args:
        stormy: Each table of one lake.
        quiet: Each table of the other one.
        days: The sessions of the week. Of what can be asked for on its day only, the last one is there, and each other
            one is there as a whole or not at all.
    """
    for name in sorted(stormy.keys() | quiet.keys()):
        if name not in stormy or name not in quiet:
            yield f"{name} is only in the lake of the {'quiet' if name in quiet else 'stormy'} week"
            continue
        pairs = {"": (stormy[name], quiet[name])}
        if name in _OF_ITS_DAY:
            by_day = {day: (stormy[name].filter(date=day), quiet[name].filter(date=day)) for day in days}
            pairs = {f" of {day}": pair for day, pair in by_day.items() if pair[0].height or day == days[-1]}
        for of, (ours, theirs) in pairs.items():
            if not ours.equals(theirs):
                yield f"{name}{of}: {ours.height} rows, {theirs.height} in a quiet week"
