"""Minimal changes to the text of a task file, which keep comments, order and style.

Every method yields splices, `(start, end, replacement)` by offset; `apply` applies them to the text. The caller parses
the result and compares it with the plan: in an unusual style a splice may be wrong, and is then refused, never written.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mystocks_dagster.taskfile.yaml import dump, tree
from mystocks_dagster.taskfile.yaml.document import Section
from mystocks_dagster.taskfile.yaml.source import Source
from mystocks_dagster.taskfile.yaml.tree import Node

Splice = tuple[int, int, str]
Pair = tuple[Node, Node]


def apply(text: str, splices: Sequence[Splice]) -> str:
    """Apply all splices to `text`; they must not overlap."""
    # The last one first, so that the other offsets stay valid; splices at one offset keep their order.
    for start, end, replacement in sorted(splices, key=lambda splice: splice[:2])[::-1]:
        text = text[:start] + replacement + text[end:]
    return text


def merge_patch(data: Any, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return `data` with changes merged in (RFC 7386): None removes a key, mappings are merged, all else replaces.

    Examples:
        >>> merge_patch({"a": 1, "b": {"c": 2}}, {"a": None, "b": {"d": 3}})
        {'b': {'c': 2, 'd': 3}}
    """
    merged = dict(data) if isinstance(data, dict) else {}
    for key, value in changes.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value) if isinstance(value, Mapping) else value
    return merged


class Splicer:
    """Makes splices for one parsed file."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._text = source.text
        self._starts = [0, *(match.end() for match in tree.LINE_BREAK.finditer(source.text))]
        self._newline = "\r\n" if "\r\n" in source.text else "\n"
        self._dash = self._dash_width()

    def change(self, node: Node, data: Mapping[str, Any], changes: Mapping[str, Any]) -> Iterator[Splice]:
        """Yield splices that merge `changes` into an indented mapping with the current values `data`."""
        pairs = {key: next((pair for pair in reversed(node.pairs) if pair[0].value == key), None) for key in changes}
        for key, pair in pairs.items():
            value = changes[key]
            if pair is None:
                continue
            if value is None:
                yield from self._delete(node, pair)
            elif isinstance(value, Mapping) and pair[1].kind == "map" and not pair[1].flow and data[key]:
                yield from self.change(pair[1], data[key], value)
            else:
                new = merge_patch(data[key], value) if isinstance(value, Mapping) else value
                yield from self._replace(pair, data[key], new)
        # New keys last: text that is added inside a value at the same offset comes first.
        for key, pair in pairs.items():
            if pair is None and (value := changes[key]) is not None:
                new = merge_patch({}, value) if isinstance(value, Mapping) else value
                yield self._after(node.last, dump.block({key: new}, dash=self._dash), node.column - 1)

    def remove_entry(self, section: Section, index: int) -> Iterator[Splice]:
        """Yield splices that remove an entry with the comment directly above it."""
        pair = self._pair(section)
        items = pair[1].items
        if len(items) == 1:
            yield pair[0].start, self._line_end(pair[1].last), f"{section}: []"
            return
        first, last = items[index].line, self._with_comments_below(items[index])
        indent = self._indent(first)
        while first > 1 and self._line(first - 1).startswith(f"{indent}#"):
            first -= 1
        blank_above = first == 1 or not self._line(first - 1).strip() or index == 0
        if blank_above and last < len(self._starts) and not self._line(last + 1).strip():
            last += 1
        yield self._without_lines(first, last)

    def add_entries(self, section: Section, added: Sequence[Mapping[str, Any]]) -> Iterator[Splice]:
        """Yield splices that add entries at the end of their list."""
        pair = self._source.root.pair(section)
        if pair is None:
            gap = self._newline if self._text.endswith(("\n", "\r")) else self._newline * 2
            yield len(self._text), len(self._text), gap + self._joined(_spaced(section, added), 0) + self._newline
        elif not pair[1].items:
            yield pair[0].start, max(pair[1].end, pair[0].end + 1), self._joined(_spaced(section, added), 0)
        else:
            items = pair[1].items
            last = self._with_comments_below(items[-1])
            spaced = len(items) == 1 or not self._line(self._comments_above(items[-1].line) - 1).strip()
            lines = [line for data in added for line in (*[""] * spaced, *dump.block([data], dash=self._dash))]
            yield self._after(last, lines, len(self._indent(items[0].line)))

    def set_head(self, values: Mapping[str, Any]) -> Iterator[Splice]:
        """Yield splices that set fields of the file itself, such as `task_packages`; new ones come above the tasks."""
        root = self._source.root
        tasks = root.pair("tasks")
        old = {key: value for key, value in values.items() if root.pair(key) or not tasks}
        if old:
            yield from self.change(root, self._source.data, old)
        new = {key: value for key, value in values.items() if key not in old}
        if tasks and new:
            line = self._comments_above(tasks[0].line)
            # Comments at the very top are about the file, not about the tasks.
            start = self._line_start(tasks[0].line if line == 1 else line)
            yield start, start, self._joined([*dump.block(new), "", ""], 0)

    def rewrite_entry(self, section: Section, index: int, data: Mapping[str, Any]) -> Iterator[Splice]:
        """Yield splices that rewrite an entry without its inner comments, for styles that cannot be changed in part."""
        item = self._pair(section)[1].items[index]
        lines = dump.block([data], dash=self._dash)
        yield self._line_start(item.line), self._line_end(item.last), self._joined(lines, len(self._indent(item.line)))

    def _delete(self, node: Node, pair: Pair) -> Iterator[Splice]:
        key, value = pair
        if not self._text[self._line_start(key.line) : key.start].strip():
            yield self._without_lines(key.line, max(key.line, value.last))
            return
        # The first key follows the dash of its list entry: the next key replaces it.
        following = [name for name, _ in node.pairs if name.start > key.start]
        yield key.start, following[0].start if following else value.end, "" if following else "{}"

    def _replace(self, pair: Pair, old: Any, new: Any) -> Iterator[Splice]:
        key, value = pair
        inline = value.line == key.line and value.last == key.line
        if inline and (value.flow or not dump.nested(new)):
            space = " " if value.start == value.end and not self._text[value.start - 1].isspace() else ""
            yield value.start, value.end, space + dump.text_of(new)
        elif value.items and not value.flow and isinstance(new, (list, tuple)) and _is_extension(old, new):
            yield from self._change_list(value, old, new)
        else:
            end = value.end if inline else self._line_end(value.last)
            lines = dump.block({key.value: new}, dash=self._dash)
            yield key.start, end, self._joined(lines, key.column - 1).lstrip(" ")

    def _change_list(self, node: Node, old: Sequence[Any], new: Sequence[Any]) -> Iterator[Splice]:
        for item, value in zip(node.items, old, strict=True):
            if value not in new:
                yield self._without_lines(item.line, item.last)
        added = list(new[sum(value in new for value in old) :])
        if added:
            yield self._after(node.last, dump.block(added, dash=self._dash), len(self._indent(node.items[0].line)))

    def _after(self, line: int, lines: Iterator[str] | Sequence[str], indent: int) -> Splice:
        """Return the splice that inserts lines below a line."""
        end = self._line_end(line)
        return end, end, self._newline + self._joined(lines, indent)

    def _without_lines(self, first: int, last: int) -> Splice:
        """Return the splice that removes lines with the line break before them; it cannot overlap with `_after`."""
        return self._line_end(first - 1), self._line_end(last), ""

    def _joined(self, lines: Iterator[str] | Sequence[str], indent: int) -> str:
        return self._newline.join(" " * indent + line if line else "" for line in lines)

    def _with_comments_below(self, item: Node) -> int:
        """Return the last line of an entry, with comments directly below that are indented deeper than its dash."""
        last, comment = item.last, re.compile(rf"{self._indent(item.line)} \s*#")
        while last > item.line and not self._line(last).strip():
            last -= 1
        while last < len(self._starts) and comment.match(self._line(last + 1)):
            last += 1
        return last

    def _comments_above(self, line: int) -> int:
        while line > 1 and self._line(line - 1).lstrip().startswith("#"):
            line -= 1
        return line

    def _dash_width(self) -> int:
        """Return how many columns the file indents the dashes of a list below its key."""
        pair = self._source.root.pair("tasks")
        if pair and pair[1].kind == "list" and not pair[1].flow and pair[1].items:
            return max(0, len(self._indent(pair[1].items[0].line)) - (pair[0].column - 1))
        return 2

    def _pair(self, section: Section) -> Pair:
        pair = self._source.root.pair(section)
        assert pair, section
        return pair

    def _line_start(self, line: int) -> int:
        return self._starts[line - 1] if line <= len(self._starts) else len(self._text)

    def _line_end(self, line: int) -> int:
        """Return the offset after the last character of a line; 0 for line 0."""
        return self._line_start(line) + len(self._line(line))

    def _line(self, line: int) -> str:
        if line < 1:
            return ""
        return self._text[self._line_start(line) : self._line_start(line + 1)].rstrip("\r\n\x85\u2028\u2029")

    def _indent(self, line: int) -> str:
        text = self._line(line)
        return text[: len(text) - len(text.lstrip(" "))]


def _spaced(section: Section, added: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the lines of a new section, with an empty line between its entries."""
    lines = [f"{section}:"]
    for data in added:
        lines += [*[""] * (len(lines) > 1), *dump.block([data], 2)]
    return lines


def _is_extension(old: Any, new: Sequence[Any]) -> bool:
    """Return whether `new` is `old` with some values removed and some appended."""
    kept = [value for value in old if value in new]
    nested = any(isinstance(value, (dict, list)) for value in (*old, *new))
    return bool(kept) and list(new[: len(kept)]) == kept and not nested
