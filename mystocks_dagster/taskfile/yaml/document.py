"""A task file split into its settings and its entries, before anything is checked."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mystocks_dagster.taskfile.problems import Fault, Path, Problem
from mystocks_dagster.taskfile.yaml.source import Source

Section = Literal["tasks", "task_groups"]
#: Ten times the size of the largest task files.
MAX_ENTRIES = 20_000
SECTIONS: Mapping[Section, str] = {"tasks": "task_id", "task_groups": "group_id"}


@dataclass(frozen=True)
class Raw:
    """One task or group as written.

    Attributes:
        section: The list that contains it.
        index: Its index in that list.
        data: Its plain values; of any type when the file is invalid.
        first: Its first line, from 1.
        last: Its last line.
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
        """Its id; None without a valid one."""
        value = self.data.get(SECTIONS[self.section]) if isinstance(self.data, dict) else None
        return value if isinstance(value, str) else None

    @property
    def label(self) -> str:
        """Its id, or its place without an id."""
        return self.id or f"{self.section}[{self.index}]"


@dataclass(frozen=True)
class Document:
    """A task file in parts.

    Attributes:
        file: The file, as the caller named it.
        head: The fields beside `tasks` and `task_groups`.
        entries: The entries of the two lists.
        problem: Locates a fault: adds line and column.
        faults: Faults of the file as a whole.
        unusable: Faults that make the whole file unusable, such as `tasks` that is not a list.
    """

    file: str
    head: dict[str, Any]
    entries: Mapping[Section, Sequence[Raw]]
    problem: Callable[[Fault, str | None], Problem]
    faults: tuple[Fault, ...] = ()
    unusable: tuple[Fault, ...] = ()

    @property
    def defaults(self) -> dict[str, Any]:
        """The file's `defaults`; empty when they are not a mapping, which is reported elsewhere."""
        defaults = self.head.get("defaults")
        return defaults if isinstance(defaults, dict) else {}


def document_of(source: Source) -> Document:
    """Split a parsed file."""
    entries: dict[Section, list[Raw]] = {}
    unusable = [fault for fault in source.faults if len(fault.path) == 1 and fault.path[0] in SECTIONS]
    for section in SECTIONS:
        items = source.data.get(section)
        if items is None:
            items = []
        if not isinstance(items, list):
            hint = f"Start each entry with `- {SECTIONS[section]}: ...`."
            unusable.append(Fault((section,), f"{section} must be a list", hint))
            items = []
        if len(items) > MAX_ENTRIES:
            message = f"{section} has more than {MAX_ENTRIES:,} entries"
            unusable.append(Fault((section, MAX_ENTRIES), message, "Split the file."))
            items = []
        entries[section] = [_raw(source, section, index, data) for index, data in enumerate(items)]
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
    """Merge a task's values over the file's defaults; `params` and `schedule` are merged key by key."""
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
    """Return whether a path exists in plain data."""
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
