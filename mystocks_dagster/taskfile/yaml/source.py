"""A parsed task file: text, tree and data, and the line and column of a path in the data."""

import re
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any, NamedTuple

from mystocks_dagster.excerpts import suggest
from mystocks_dagster.shared.place import database_url
from mystocks_dagster.taskfile.problems import Fault, Path, Problem, TaskFileError, path_text
from mystocks_dagster.taskfile.yaml import lookalikes, tree
from mystocks_dagster.taskfile.yaml.tree import Node

#: A file of 1,000 tasks has half a megabyte.
MAX_BYTES = 5_000_000
#: Files of a project that hold no tasks.
_NO_TASK_FILES = frozenset({"dagster.yaml", "workspace.yaml"})
#: Characters that a caret may underline.
_WIDEST = 200
#: Entries of a faulty list that are checked for lookalike characters.
_MAX_CHECKED = 100
#: Lines before a parser's error that may contain its cause.
_BEFORE = 3
#: A character beyond U+FFFF as JSON escapes it (two surrogates), which YAML does not allow.
_SURROGATES = re.compile(r"\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})", re.IGNORECASE)


class Kind(NamedTuple):
    """What a file is for, as far as messages say it: each is a message and its hint.

    Attributes:
        empty: The file holds nothing.
        other: It is not a mapping.
    """

    empty: tuple[str, str]
    other: tuple[str, str]


TASK_FILE = Kind(
    ("the task file is empty", "Write `tasks:` and one task, or start from the shipped tasks.yaml."),
    ("a task file is a mapping with `tasks:` in it", "Write `tasks:` and put the list below it."),
)


@dataclass(frozen=True)
class Source:
    """A parsed task file.

    Attributes:
        file: The file, as the caller named it.
        text: Its text, without a byte order mark.
        root: Its tree.
        data: Plain values: dict, list, str, int, float, bool, None. Variables are not resolved.
        faults: Faults of the tree itself: duplicate keys.
    """

    file: str
    text: str
    root: Node
    data: dict[str, Any]
    faults: tuple[Fault, ...]

    @property
    def lines(self) -> list[str]:
        """The text's lines."""
        return tree.LINE_BREAK.split(self.text)

    def node(self, path: Path) -> Node | None:
        """Return the node at a path; None when the path does not exist."""
        node: Node | None = self.root
        for part in path:
            node = node.child(part) if node else None
        return node

    def problem(self, fault: Fault, owner: str | None = None) -> Problem:
        """Locate a fault: at the longest part of its path that exists in the text."""
        node, at_key, path, is_key = self.root, fault.at_key, fault.path, False
        for index, part in enumerate(path):
            child = node.child(part)
            if child is None:
                at_key = False
                break
            pair = node.pair(part) if isinstance(part, str) else None
            empty = child.end == child.start
            if pair and (empty or (fault.at_key and index == len(path) - 1)):
                child, is_key = pair[0], True
            node = child
            if empty:
                break
        if node.kind == "scalar":
            fault = fault if is_key else fault.as_written(self.text[node.start : node.end].strip())
        items = [item for item in node.items[:_MAX_CHECKED] if item.kind == "scalar"] if node.kind == "list" else [node]
        fault = lookalikes.named(fault, [item.value for item in items])
        return self._problem_at(node, fault, owner, whole=at_key)

    def _problem_at(self, node: Node, fault: Fault, owner: str | None, *, whole: bool) -> Problem:
        end = min(max(node.end, node.start + 1), node.start + _WIDEST)
        line_end = tree.LINE_BREAK.search(self.text, node.start, end)
        width = max(1, (line_end.start() if line_end else end) - node.start)
        column = node.column
        if node.kind != "scalar" and not whole:
            width = self._first_width(node, width)
        if fault.span and node.kind == "scalar":
            quote, (offset, length) = int(node.flow), fault.span
            if isinstance(node.value, str) and self.text.startswith(node.value, node.start + quote):
                column, width = column + quote + offset, length
        place = {"line": node.line, "column": column, "width": width, "path": _cut(path_text(fault.path))}
        return Problem(file=self.file, message=_cut(fault.message), hint=_cut(fault.hint), owner=owner, **place)

    def _first_width(self, node: Node, width: int) -> int:
        """Return the width of an indented mapping's first key instead of its whole first line."""
        if node.kind == "map" and not node.flow and node.pairs:
            key = node.pairs[0][0]
            return max(1, key.end - key.start)
        return width


def read_text(path: FilePath) -> str:
    """Return the file's text without a byte order mark; its line breaks are kept.

    Raises:
        TaskFileError: The file is missing, not a file, too large, unreadable, or not UTF-8.
    """
    if path.is_dir():
        raise _unreadable(path, f"{path} is a folder", "Name the file itself.")
    if not path.exists():
        if path.is_symlink():
            raise _unreadable(
                path, f"{path} is a link that leads to no file", "Name the file itself, or mend the link."
            )
        files = path.parent.glob("*.y*ml") if path.parent.is_dir() else ()
        beside = [item.name for item in files if item.name not in _NO_TASK_FILES]
        hint = suggest(path.name, sorted(beside), allowed="In that folder")
        if database_url(path.parent):
            hint = "Several machines share this project's database: do this where the file is, or copy it from there."
        hint = hint or "Create it, or name another file in MYSTOCKS_TASKS."
        raise _unreadable(path, f"there is no task file {path}", hint)
    if not path.is_file():
        raise _unreadable(path, f"{path} is a pipe or a device", "Name a file.")
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise _unreadable(path, f"the file cannot be read: {error.strerror}", "Check its permissions.") from None
    if len(raw) > MAX_BYTES:
        message = f"the file is larger than {MAX_BYTES // 1_000_000} MB"
        raise _unreadable(path, message, "Split it, or keep data elsewhere.")
    return decoded(path, raw)


def decoded(path: FilePath, raw: bytes) -> str:
    """Return the text of a file that a person has written, without a byte order mark.

    Raises:
        TaskFileError: It is not UTF-8; the problem names line and column of the first byte that is none.
    """
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8", "replace")
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        message = f"the file is not UTF-8: byte 0x{raw[error.start]:02x}"
        utf16 = raw.startswith((b"\xff\xfe", b"\xfe\xff"))
        hint = "Save it as UTF-8 (it is UTF-16)." if utf16 else "Save it as UTF-8 (it may be GBK)."
        problem = Problem(file=str(path), line=line, column=column, path="", message=message, hint=hint)
        raise TaskFileError([problem]) from None


def parse_text(text: str, file: str, kind: Kind = TASK_FILE) -> Source:
    """Return the parsed file; `kind` is what it is for.

    Raises:
        TaskFileError: The text is not a single YAML mapping.
    """
    if text.lstrip().startswith("{"):
        text = _SURROGATES.sub(_joined, text)
    lines = tree.LINE_BREAK.split(text)
    try:
        root = tree.parse(text)
        if root is None or (root.kind == "scalar" and root.value is None):
            raise tree.Malformed(1, 1, *kind.empty)
        if root.kind != "map":
            raise tree.Malformed(root.line, root.column, *kind.other)
        converter = _Converter()
        data = converter.data(root, ())
    except tree.Malformed as malformed:
        error = _with_lookalike(malformed, lines)
        problem = Problem(
            file=file, line=error.line, column=error.column, path="", message=error.message, hint=error.hint
        )
        raise TaskFileError([problem], lines) from None
    return Source(file=file, text=text, root=root, data=data, faults=tuple(converter.faults))


def value_of(text: str) -> Any:
    """Parse a single value as in the task file: `2022-01-04`, `000001` and anything that is not YAML are text.

    Examples:
        >>> [value_of(text) for text in ("2022-01-04", "000001", "[1, 2]", "yes", "a: b: c")]
        ['2022-01-04', '000001', [1, 2], True, 'a: b: c']
    """
    try:
        root = tree.parse(text)
        return _Converter().data(root, ()) if root else None
    except tree.Malformed:
        return text


class _Converter:
    """Converts nodes to plain data; limits the values that aliases add."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self._aliased = 0

    def data(self, node: Node, path: Path, *, copied: bool = False) -> Any:
        if node.target:
            return self.data(node.target, path, copied=True)
        if copied:
            self._aliased += 1
            if self._aliased > tree.MAX_ALIASED:
                message = f"aliases add more than {tree.MAX_ALIASED:,} values"
                raise tree.Malformed(node.line, node.column, message, "Write the values out.")
        if node.kind == "list":
            return [self.data(item, (*path, index), copied=copied) for index, item in enumerate(node.items)]
        if node.kind == "map":
            return self._mapping(node, path, copied=copied)
        return node.value

    def _mapping(self, node: Node, path: Path, *, copied: bool) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        own: dict[str, Any] = {}
        for key, value in node.pairs:
            if tree.is_merge(key):
                self._merge(value, path, merged)
                continue
            if key.value in own and not copied:
                first = next(name for name, _ in node.pairs if name.value == key.value)
                hint = f"It is already in line {first.line}; keep one of them."
                self.faults.append(Fault((*path, key.value), f"the key {key.value!r} occurs twice", hint, at_key=True))
            own[key.value] = self.data(value, (*path, key.value), copied=copied)
        return merged | own

    def _merge(self, value: Node, path: Path, merged: dict[str, Any]) -> None:
        sources = value.resolved().items or [value]
        for source in reversed(sources):
            data = self.data(source, path, copied=True)
            if not isinstance(data, dict):
                message = "<< merges mappings, and this is not a mapping"
                hint = "Write `<<: *name` with &name at a mapping."
                raise tree.Malformed(value.line, value.column, message, hint)
            merged.update(data)


def _with_lookalike(error: tree.Malformed, lines: list[str]) -> tree.Malformed:
    """Return an error about a lookalike character in the lines before, since the parser fails some lines later."""
    last = min(error.line, len(lines))
    content = [number for number in range(1, last) if re.match(r"\s*[^\s#]", lines[number - 1])]
    for number in (*content[-_BEFORE:], last):
        if character := lookalikes.structural(lines[number - 1]):
            return tree.Malformed(number, character.offset + 1, character.message, character.remedy)
    return error


def _cut(text: str, longest: int = 1000) -> str:
    """Cut a long text: a damaged file may have names of a megabyte."""
    return text if len(text) <= longest else f"{text[:longest]}…"


def _joined(halves: re.Match[str]) -> str:
    high, low = (int(half, 16) for half in halves.groups())
    return f"\\U{0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00):08x}"


def _unreadable(path: FilePath, message: str, hint: str) -> TaskFileError:
    return TaskFileError([Problem(file=str(path), line=1, column=1, path="", message=message, hint=hint)])
