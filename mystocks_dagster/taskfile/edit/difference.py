"""The difference of an edit for display, without literal secrets."""

import difflib
import re
from collections.abc import Iterator

from mystocks_dagster.taskfile.problems import TaskFileError
from mystocks_dagster.taskfile.secret_forms import pattern
from mystocks_dagster.taskfile.secrets import MASK, is_secret, mask, secret_values, variables_only
from mystocks_dagster.taskfile.yaml.source import Source, parse_text
from mystocks_dagster.taskfile.yaml.tree import Node

#: Marks a changed secret, where two lines would look the same.
_NEW = " (new)"


def difference(before: str, after: str, name: str) -> str:
    """Return the unified diff of two texts of a task file; empty when they are equal.

    A secret value is shown as ***, and as *** (new) when the text before does not contain it.
    """
    if before == after:
        return ""
    old, new = _parsed(before, name), _parsed(after, name)
    known = set(secret_values(old.data)) if old else set()
    first, second = _masked(old, before, known), _masked(new, after, known)
    text = "\n".join(difflib.unified_diff(first.splitlines(), second.splitlines(), name, name, lineterm=""))
    # A secret may occur again, in a comment or under another name; a value with a variable is not one.
    values = [*known, *(secret_values(new.data) if new else ())]
    expression = pattern(value for value in values if "${" not in value)
    return re.sub(expression, MASK, text) if expression else text


def _parsed(text: str, name: str) -> Source | None:
    try:
        return parse_text(text, name)
    except TaskFileError:
        return None


def _masked(source: Source | None, text: str, known: set[str]) -> str:
    if source is None or source.text != text:
        return text
    for node in sorted(_secrets(source.root), key=lambda node: node.start, reverse=True):
        written = text[node.start : node.end]
        secrets = set(secret_values(node.value)) or {str(node.value)}
        replacement = _masked_value(written, node.value) + ("" if secrets <= known else _NEW)
        text = text[: node.start] + replacement + text[node.end :]
    return text


def _masked_value(written: str, value: object) -> str:
    """Return the text of a secret value for display, with its quotes."""
    if mask(value) != value:
        return str(mask(written))
    if isinstance(value, str) and "${" in written:
        quote = written[0] if written[0] in "\"'" else ""
        return f"{quote}{variables_only(written.strip(quote or None))}{quote}"
    return MASK


def _secrets(node: Node, *, hidden: bool = False) -> Iterator[Node]:
    """Yield the values under a key with a secret name, and those that contain a login."""
    if node.kind == "map":
        for key, value in node.pairs:
            yield from _secrets(value, hidden=hidden or is_secret(key.value))
    elif node.kind == "list":
        for item in node.items:
            yield from _secrets(item, hidden=hidden)
    elif node.kind == "scalar" and not node.target:
        secret = hidden and node.value not in (None, "") and not isinstance(node.value, bool)
        if secret or mask(node.value) != node.value:
            yield node
