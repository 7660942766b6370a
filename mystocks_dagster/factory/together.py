"""Conflicts between the task files of one code location: ids, alerts and names of lakes."""

from collections.abc import Iterator, Sequence

from mystocks_dagster.factory.loaded_file import LoadedFile
from mystocks_dagster.taskfile.names import dagster_name
from mystocks_dagster.taskfile.problems import Fault, Problem
from mystocks_dagster.taskfile.yaml.document import SECTIONS


def conflicts(files: Sequence[LoadedFile]) -> list[Problem]:
    """Return the conflicts between task files, in the order of the files and their lines."""
    return [*_same_ids(files), *_second_alerts(files), *_same_lake_names(files)]


def _same_ids(files: Sequence[LoadedFile]) -> Iterator[Problem]:
    """Yield every task and group whose job name another file uses already."""
    first: dict[str, tuple[LoadedFile, str]] = {}
    for file in files:
        own: dict[str, tuple[LoadedFile, str]] = {}
        for entries in file.version.document.entries.values():
            for raw in entries:
                if raw.id is None:
                    continue
                name = dagster_name(raw.id)
                if name in first:
                    other, label = first[name]
                    line = other.version.lines[label][0]
                    fault = Fault(
                        (*raw.key, SECTIONS[raw.section]),
                        f"{raw.id!r} is the id of another task or group of this code location: "
                        f"{other.version.source}:{line}",
                        "Rename one of them.",
                    )
                    yield file.version.document.problem(fault, raw.label)
                own.setdefault(name, (file, raw.label))
        first = {**own, **first}


def _second_alerts(files: Sequence[LoadedFile]) -> Iterator[Problem]:
    """Yield the `alerts` of every file but the first with `alerts`: one file configures the channels."""
    having = [file for file in files if "alerts" in file.version.document.head]
    for file in having[1:]:
        fault = Fault(
            ("alerts",),
            f"a code location has one `alerts` section, and {having[0].version.source} has it",
            "Remove one of them; the other applies to the tasks of all files.",
            at_key=True,
        )
        yield file.version.document.problem(fault, None)


def _same_lake_names(files: Sequence[LoadedFile]) -> Iterator[Problem]:
    """Yield every lake whose folder name another lake has: their tables would have the same asset keys."""
    lakes: dict[tuple[str, ...], str] = {}
    for file in files:
        other = lakes.setdefault(file.prefix, file.lake or "")
        if other != (file.lake or ""):
            fault = Fault(
                (),
                f"its lake {file.lake} has the same folder name as {other}, and that name is the prefix of the tables' "
                "asset keys",
                "Give one of the two folders another name.",
            )
            yield file.version.document.problem(fault, None)
