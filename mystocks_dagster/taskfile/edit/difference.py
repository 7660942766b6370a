"""The difference that an edit makes, as it may be shown: secrets that the file writes out are not in it."""

import difflib
import re
from collections.abc import Iterator

from mystocks_dagster.taskfile.problems import TaskFileError
from mystocks_dagster.taskfile.secret_forms import pattern
from mystocks_dagster.taskfile.secrets import MASK, is_secret, mask, secret_values, variables_only
from mystocks_dagster.taskfile.yaml.source import Source, parse_text
from mystocks_dagster.taskfile.yaml.tree import Node

#: Says that a secret is another one than before, where two lines would look the same.
_NEW = " (new)"


def difference(before: str, after: str, name: str) -> str:
    """Return the lines by which two texts of a task file differ; empty when they do not.

    A secret value is shown as ***, and as *** (new) when the text before does not have it.
    """
    if before == after:
        return ""
    old, new = _parsed(before, name), _parsed(after, name)
    known = set(secret_values(old.data)) if old else set()
    first, second = _masked(old, before, known), _masked(new, after, known)
    text = "\n".join(difflib.unified_diff(first.splitlines(), second.splitlines(), name, name, lineterm=""))
    # A value may stand a second time, in a comment or under another name; what is mostly a variable is none.
    values = [value for source in (old, new) if source for value in secret_values(source.data) if "${" not in value]
    found = pattern(values)
    return re.sub(found, MASK, text) if found else text


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
        here = set(secret_values(node.value)) or {str(node.value)}
        text = text[: node.start] + _shown(written, node.value) + ("" if here <= known else _NEW) + text[node.end :]
    return text


def _shown(written: str, value: object) -> str:
    """Return the text of a secret value as it may be shown, in its quotes."""
    if mask(value) != value:
        return str(mask(written))
    if isinstance(value, str) and "${" in written:
        quote = written[0] if written[0] in "\"'" else ""
        return f"{quote}{variables_only(written.strip(quote or None))}{quote}"
    return MASK


def _secrets(node: Node, *, hidden: bool = False) -> Iterator[Node]:
    """Yield the values that stand under a key with a secret name, or hold a login."""
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
