"""The project's dagster.yaml of an older version, brought to this one; what a person has changed in it is kept."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_KEY = re.compile(r"([a-z_]+):")
_COMMENT = re.compile(r"(^|\s)#.*$")
#: Between the sections of different versions in the file of older sections.
_NEXT = "---"


@dataclass(frozen=True, kw_only=True)
class Change:
    """A section of dagster.yaml that is added or replaced."""

    section: str
    added: bool


def upgraded(text: str, shipped: str, older: str) -> tuple[str, list[Change]]:
    """Return a dagster.yaml with the sections of this version, and the changes; empty if it has them all.

    A section that is missing is added. A section that an older version shipped, and that nobody has changed since, is
    replaced. Every other section, and comments elsewhere, are kept as they are.

    Args:
        text: The project's file.
        shipped: The file of this version.
        older: Sections that older versions shipped, of several versions.
    """
    mine, new = _sections(text), _sections(shipped)
    superseded = {
        (name, _content(section)) for part in older.split(f"\n{_NEXT}\n") for name, section in _sections(part).items()
    }
    lines, changes = text, []
    for name, section in new.items():
        if name not in mine:
            lines = f"{lines.rstrip()}\n\n{section.rstrip()}\n"
            changes.append(Change(section=name, added=True))
        elif _content(mine[name]) != _content(section) and (name, _content(mine[name])) in superseded:
            lines = lines.replace(mine[name].rstrip(), section.rstrip(), 1)
            changes.append(Change(section=name, added=False))
    return lines, changes


def _sections(text: str) -> Mapping[str, str]:
    """Return each top-level key with its lines and the comment right above it."""
    lines = text.splitlines(keepends=True)
    starts = [(match[1], _start(lines, at)) for at, line in enumerate(lines) if (match := _KEY.match(line))]
    ends = [start for _, start in starts[1:]] + [len(lines)]
    return {name: "".join(lines[start:end]) for (name, start), end in zip(starts, ends, strict=True)}


def _start(lines: list[str], at: int) -> int:
    while at and lines[at - 1].startswith("#"):
        at -= 1
    return at


def _content(section: str) -> tuple[str, ...]:
    """Return a section without comments and empty lines, by which two are compared."""

    def contents() -> Iterator[str]:
        for line in section.splitlines():
            if plain := _COMMENT.sub("", line).rstrip():
                yield plain

    return tuple(contents())
