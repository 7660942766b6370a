"""The code blocks of the documentation, and a reader who types them."""

import os
import re
import shlex
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from support.commands import Commands
from support.project import ROOT

DOCS = ROOT / "docs"
_BLOCK = re.compile(r"^```(\w*)(?: ([^\n]+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass
class Block:
    """A block of a page: its language, what the fence says behind that, its text."""

    language: str
    mark: str
    text: str

    @property
    def lines(self) -> list[str]:
        """What is typed: without the prompt and the comments."""
        return [re.split(r"\s{2,}#", line.removeprefix("$ "))[0].strip() for line in self.text.splitlines()]


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page."""
    return [Block(*parts) for parts in _BLOCK.findall(page.read_text(encoding="utf-8"))]


def block(page: str, language: str, number: int = 0) -> Block:
    """Return one of the blocks of a language on a page of docs/."""
    return [one for one in blocks(DOCS / page) if one.language == language][number]


def below(page: str, heading: str) -> list[Block]:
    """Return the blocks of a section of a page of docs/."""
    text = (DOCS / page).read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return [Block(*parts) for parts in _BLOCK.findall(text)]


@dataclass
class Reader:
    """Types the lines of a page, and remembers what each printed.

    Attributes:
        cli: The commands of the project.
        codes: Lines that end with another exit code than 0 by right; None is any.
        names: What a page writes for a name of the reader's own, to that name.
    """

    cli: Commands
    codes: dict[str, int | None] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    printed: dict[str, str] = field(default_factory=dict)

    def type(self, line: str) -> str:
        """Type a line, and return what it printed."""
        written, typed = line, line
        for name, ours in self.names.items():
            typed = typed.replace(name, ours)
        if typed.startswith("mystocks "):
            words = [str(Path(word).expanduser()) if word.startswith("~") else word for word in shlex.split(typed)]
            told = self._run(words[1:], self.codes.get(written, 0))
        else:
            done = subprocess.run(
                typed, shell=True, cwd=self.cli.folder.root, capture_output=True, text=True, check=True
            )
            told = done.stdout
        self.printed[written] = told
        return told

    def read(self, block: Block) -> list[str]:
        """Type all lines of a block, and return what each printed."""
        return [self.type(line) for line in block.lines]

    def _run(self, arguments: list[str], code: int | None) -> str:
        """Run a command, which leaves the environment as it was, as one in a shell does."""
        before = dict(os.environ)
        try:
            if code is None:
                return self.cli.folder.mystocks(*arguments, code=None)
            return self.cli(*arguments, code=code)
        finally:
            os.environ.clear()
            os.environ.update(before)
