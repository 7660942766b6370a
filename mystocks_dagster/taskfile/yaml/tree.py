"""YAML text to a tree of nodes with their places, in one linear pass, with safe values only."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import yaml
from yaml import events
from yaml.reader import ReaderError

from mystocks_dagster.taskfile.problems import Path
from mystocks_dagster.taskfile.yaml.scalars import finite, scalar

#: Limits of depth and size that only malicious files exceed.
MAX_DEPTH = 40
MAX_NODES = 400_000
#: Values that aliases may add: an "alias bomb" of a few lines expands to billions.
MAX_ALIASED = 20_000

#: Line breaks of YAML 1.1; `str.splitlines` splits at more characters.
LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")

_CORE_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "map", "seq", "timestamp")}
_TEXT_TAGS = {"!", "tag:yaml.org,2002:str"}


@dataclass(slots=True)
class Node:
    """A value with its place.

    Attributes:
        start: Offset of its first character; `end` is the offset after its last one.
        line: Line of its first character, from 1; `column` likewise.
        last: Line of its last character.
        flow: Whether it is written in brackets, braces or quotes instead of indented.
        value: The value of a scalar.
        items: The entries of a list.
        pairs: The keys and values of a mapping, in order, with duplicates.
        target: The node to which an alias refers.
    """

    kind: Literal["scalar", "list", "map", "alias"]
    start: int
    line: int
    column: int
    end: int = 0
    last: int = 0
    flow: bool = True
    value: Any = None
    items: "Sequence[Node]" = ()
    pairs: "Sequence[tuple[Node, Node]]" = ()
    target: "Node | None" = None

    def resolved(self) -> "Node":
        """Return the node itself, or the target of an alias."""
        return self.target.resolved() if self.target else self

    def child(self, part: str | int) -> "Node | None":
        """Return the value at a key or index, including keys merged by `<<`."""
        node = self.resolved()
        if isinstance(part, int):
            return node.items[part] if node.kind == "list" and part < len(node.items) else None
        pair = node.pair(part)
        return pair[1] if pair else None

    def pair(self, key: str) -> "tuple[Node, Node] | None":
        """Return the key and value nodes of a key; of duplicates the last one, as in the data."""
        node = self.resolved()
        for pair in reversed(node.pairs):
            if pair[0].value == key:
                return pair
        for name, value in node.pairs:
            if is_merge(name):
                for source in value.resolved().items or [value]:
                    if pair := source.pair(key):
                        return pair
        return None


class Malformed(Exception):
    """The text is not YAML that a task file may contain; has line, column, message and hint."""

    def __init__(self, line: int, column: int, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.line, self.column, self.message, self.hint = line, column, message, hint


def is_merge(key: Node) -> bool:
    """Return whether a key is `<<`, which merges another mapping."""
    return key.value == "<<" and not key.flow


def parse(text: str) -> Node | None:
    """Return the tree of the single document in `text`; None when it is empty.

    Raises:
        Malformed: The text is not YAML, has several documents, or exceeds a limit.
    """
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            builder.take(event)
    except ReaderError as error:
        line = len(LINE_BREAK.findall(text, 0, error.position)) + 1
        character = ord(error.character) if isinstance(error.character, str) else error.character
        message = f"a character that is not allowed in text: #x{character:04x}"
        raise Malformed(line, 1, message, "Remove it, or save the file as UTF-8 text.") from None
    except UnicodeEncodeError as error:
        line = len(LINE_BREAK.findall(text, 0, error.start)) + 1
        raise Malformed(line, 1, "half of a character (a lone surrogate)", "Write the whole character.") from None
    except yaml.MarkedYAMLError as error:
        raise _explained(error, text) from None
    except yaml.YAMLError as error:
        raise Malformed(1, 1, f"the text cannot be read as YAML: {error}") from None
    return builder.root


class _Builder:
    """Builds the tree from parser events without recursion, so that depth cannot exhaust the stack."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self._open: list[tuple[Node, list[Node]]] = []
        self._anchors: dict[str, Node] = {}
        self._documents = self._nodes = 0

    def take(self, event: Any) -> None:
        if isinstance(event, events.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                hint = "A file is one document: remove this `---` line, or split the file."
                raise _at(event, "a second YAML document starts here", hint)
        elif isinstance(event, events.ScalarEvent):
            self._add(event, _scalar_node(event))
        elif isinstance(event, events.AliasEvent):
            self._add(event, self._alias(event))
        elif isinstance(event, events.CollectionStartEvent):
            self._start(event)
        elif isinstance(event, events.CollectionEndEvent):
            self._finish(event)

    def _start(self, event: Any) -> None:
        _check_tag(event)
        if len(self._open) >= MAX_DEPTH:
            raise _at(event, f"more than {MAX_DEPTH} levels of nesting", "Five or six are enough.")
        mark = event.start_mark
        kind = "list" if isinstance(event, events.SequenceStartEvent) else "map"
        node = Node(kind, mark.index, mark.line + 1, mark.column + 1, last=mark.line + 1, flow=bool(event.flow_style))
        if event.anchor:
            self._anchors[event.anchor] = node
        self._open.append((node, []))

    def _finish(self, event: Any) -> None:
        node, children = self._open.pop()
        if node.kind == "list":
            node.items = children
        else:
            node.pairs = list(zip(children[::2], children[1::2], strict=True))
        # The end mark of an indented collection is after the comments that follow it.
        if node.flow or not children:
            node.end, node.last = event.end_mark.index, event.end_mark.line + 1
        else:
            node.end, node.last = children[-1].end, max(child.last for child in children[-2:])
        self._add(event, node, anchored=True)

    def _alias(self, event: Any) -> Node:
        target = self._anchors.get(event.anchor)
        if target is None:
            raise _at(event, f"*{event.anchor} is undefined: there is no &{event.anchor} above it")
        if any(node is target for node, _ in self._open):
            raise _at(event, f"*{event.anchor} refers to a value that contains it", "Write the value out.")
        mark, end = event.start_mark, event.end_mark
        line, column = mark.line + 1, mark.column + 1
        return Node("alias", mark.index, line, column, end=end.index, last=end.line + 1, target=target)

    def _add(self, event: Any, node: Node, *, anchored: bool = False) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise _at(event, f"more than {MAX_NODES:,} values", "Split the file.")
        if not anchored and node.kind == "scalar" and getattr(event, "anchor", None):
            self._anchors[event.anchor] = node  # type: ignore[attr-defined]
        if not self._open:
            self.root = node
            return
        parent, children = self._open[-1]
        is_key = parent.kind == "map" and len(children) % 2 == 0
        if is_key and node.kind != "scalar":
            hint = "Put values in braces or brackets into quotes."
            raise Malformed(node.line, node.column, "a key must be text", hint)
        if is_key and isinstance(event, events.ScalarEvent):
            node.value = event.value
        children.append(node)


def _scalar_node(event: Any) -> Node:
    _check_tag(event)
    start, end = event.start_mark, event.end_mark
    plain = event.implicit[0] or (event.tag in _CORE_TAGS and event.tag is not None)
    # A block text (| or >) ends at the start of the line after it.
    last = end.line + 1 if end.column or end.line == start.line else end.line
    value = scalar(event.value) if plain else event.value
    if plain and not finite(event.value):
        raise _at(event, f"{event.value} is not a finite number", "Put it in quotes to write text.")
    return Node(
        "scalar",
        start.index,
        start.line + 1,
        start.column + 1,
        end=end.index,
        last=last,
        flow=event.style in ("'", '"'),
        value=value,
    )


def _check_tag(event: Any) -> None:
    tag = getattr(event, "tag", None)
    if tag is not None and tag not in _CORE_TAGS and tag not in _TEXT_TAGS:
        short = tag.replace("tag:yaml.org,2002:", "!!")
        raise _at(event, f"the YAML tag {short} is not allowed", "Write a plain value.")


def _at(event: Any, message: str, hint: str = "") -> Malformed:
    return Malformed(event.start_mark.line + 1, event.start_mark.column + 1, message, hint)


def _explained(error: yaml.MarkedYAMLError, text: str) -> Malformed:
    """Add a remedy to the parser's message; the usual causes are tabs, quotes and indentation."""
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    lines = LINE_BREAK.split(text)
    for number in range(max(0, line - 2), min(line, len(lines))):
        before = lines[number][: len(lines[number]) - len(lines[number].lstrip())]
        if "\t" in before:
            hint = "YAML is indented with spaces: replace the tab by spaces."
            return Malformed(number + 1, before.index("\t") + 1, "a tab in the indentation", hint)
    problem = error.problem or "unknown reason"
    hints = {
        "mapping values are not allowed": "Check the indentation, and put text that holds ': ' in quotes.",
        "did not find expected key": "Check the indentation: keys of one mapping start in the same column.",
        "did not find expected '-'": "Check the indentation: entries of one list start in the same column.",
        "could not find expected ':'": "A colon and a space are missing, or the indentation is wrong.",
        "cannot start any token": "Put text that starts with this character in quotes.",
        "unexpected end of stream": "A quote is opened and never closed.",
        "expected ',' or": "A comma or the closing bracket is missing.",
        "expected alphabetic or numeric": "Put text that starts with & or * in quotes.",
    }
    hint = next((hint for words, hint in hints.items() if words in problem), "")
    context = f" {error.context} (line {error.context_mark.line + 1})" if error.context and error.context_mark else ""
    reason = f"{problem}{context}"
    return Malformed(line, column, f"this is not YAML: {reason}", hint)


def walk(data: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield every value that is not a mapping or list, with its path."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from walk(value, (*path, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from walk(value, (*path, index))
    else:
        yield path, data
