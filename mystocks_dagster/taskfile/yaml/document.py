"""A task file taken apart into its head and its entries, before anything is checked."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mystocks_dagster.taskfile.problems import Fault, Path, Problem
from mystocks_dagster.taskfile.yaml.source import Source

Section = Literal["tasks", "task_groups"]
#: Ten times what the largest teams have.
MAX_ENTRIES = 20_000
SECTIONS: Mapping[Section, str] = {"tasks": "task_id", "task_groups": "group_id"}


@dataclass(frozen=True)
class Raw:
    """One task or group as it is written.

    Attributes:
        section: Which of the two lists it stands in, and `index` where.
        data: Its plain values; anything at all when the file is wrong.
        first: Its first line, from 1; `last` its last.
    """

    section: Section
    index: int
    data: Any
    first: int
    last: int

    @property
    def key(self) -> Path:
        """Its place in the file."""
        return (self.section, self.index)

    @property
    def id(self) -> str | None:
        """Its id, when it has one."""
        found = self.data.get(SECTIONS[self.section]) if isinstance(self.data, dict) else None
        return found if isinstance(found, str) else None

    @property
    def label(self) -> str:
        """Its id, or its place when it has none."""
        return self.id or f"{self.section}[{self.index}]"


@dataclass(frozen=True)
class Document:
    """A task file in parts.

    Attributes:
        file: The file, as it was named.
        head: What stands beside `tasks` and `task_groups`.
        entries: The entries of the two lists.
        problem: Gives a fault its line and column.
        faults: What is wrong with the file as a whole.
        unusable: Those of them that leave nothing to work with, such as `tasks` being no list.
    """

    file: str
    head: dict[str, Any]
    entries: Mapping[Section, Sequence[Raw]]
    problem: Callable[[Fault, str | None], Problem]
    faults: tuple[Fault, ...] = ()
    unusable: tuple[Fault, ...] = ()

    @property
    def defaults(self) -> dict[str, Any]:
        """The file's `defaults`; empty when they are no mapping, which is a fault of its own."""
        found = self.head.get("defaults")
        return found if isinstance(found, dict) else {}


def document_of(source: Source) -> Document:
    """Take a parsed file apart."""
    entries: dict[Section, list[Raw]] = {}
    unusable = [fault for fault in source.faults if len(fault.path) == 1 and fault.path[0] in SECTIONS]
    for section in SECTIONS:
        found = source.data.get(section)
        if found is None:
            found = []
        if not isinstance(found, list):
            unusable.append(
                Fault((section,), f"{section} must be a list", f"Start each entry with `- {SECTIONS[section]}: ...`.")
            )
            found = []
        if len(found) > MAX_ENTRIES:
            unusable.append(
                Fault((section, MAX_ENTRIES), f"{section} has more than {MAX_ENTRIES:,} entries", "Split the file.")
            )
            found = []
        entries[section] = [_raw(source, section, index, data) for index, data in enumerate(found)]
    if "tasks" not in source.data:
        unusable.append(Fault((), "the file has no `tasks`", "Write `tasks:` and put the list of tasks below it."))
    return Document(
        file=source.file,
        head={key: value for key, value in source.data.items() if key not in SECTIONS},
        entries=entries,
        problem=source.problem,
        faults=tuple(fault for fault in source.faults if fault not in unusable),
        unusable=tuple(unusable),
    )


def with_defaults(defaults: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a task's values completed by the file's defaults: the nearest wins, `params` and `schedule` key by key."""
    merged = {**defaults, **data}
    common, own = defaults.get("params"), data.get("params")
    if isinstance(common, dict) and (own is None or isinstance(own, dict)):
        merged["params"] = common | (own or {})
    common, own = defaults.get("schedule"), data.get("schedule")
    if isinstance(common, dict) and isinstance(own, dict):
        merged["schedule"] = common | own
    elif "schedule" not in data and (
        not isinstance(common, dict) or "schedule_type" not in common or data.get("task_type") == "manual"
    ):
        merged.pop("schedule", None)
    return merged


def has(data: Any, path: Path) -> bool:
    """Return whether plain data holds something at a path."""
    for part in path:
        if isinstance(data, list) and not (isinstance(part, int) and part < len(data)):
            return False
        if not isinstance(data, list) and not (isinstance(data, dict) and part in data):
            return False
        data = data[part]
    return True


def _raw(source: Source, section: Section, index: int, data: Any) -> Raw:
    node = source.node((section, index))
    first, last = (node.line, max(node.line, node.last)) if node else (1, 1)
    return Raw(section, index, data, first, last)
