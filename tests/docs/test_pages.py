"""The generated page of commands is in step, and what the troubleshooting pages tell people to type can be typed."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from support.project import ROOT
from typer.main import get_command

from mystocks_dagster.cli import reference
from mystocks_dagster.cli.main import app

DOCS = ROOT / "docs"
TROUBLE = (DOCS / "troubleshooting.md", DOCS / "troubleshooting.zh-CN.md")
PAGES = [*TROUBLE, ROOT / "README.md", ROOT / "README.zh-CN.md", *sorted(DOCS.glob("*.md"))]
#: What the seed's chapter on trouble names, and what users of such systems meet most: words of its heading or text.
PROBLEMS = [
    *("failed", "timed out", "Schedules do not fire", "Memory", "Read the logs", "bans this address", "partial_success", "Holidays"),
    *("ex-dividend", "cut, stale", "columns changed", "Past trading days", "later in the day", "another code", "wrong weekday"),
    *("file is refused", "missing after an edit", "no effect", "before it counts", "Which value", "Secrets", "was missed", "retries"),
    *("there and off", "Nobody was told", "locked", "stays started", "Urgent work", "open to others", "cleanup"),
]


def typed(page: Path) -> list[str]:
    """Return the `mystocks …` lines and inline commands of a page, without comments and placeholders."""
    text = page.read_text(encoding="utf-8")
    lines = [line for block in re.findall(r"```console\n(.*?)```", text, re.S) for line in re.findall(r"^\$ (mystocks .*)$", block, re.M)]
    inline = re.findall(r"`(mystocks [^`…]*)`", text)
    return [re.sub(r"\s{2,}#.*|<[^>]*>", lambda match: "X" if match[0][0] == "<" else "", command).strip() for command in (*lines, *inline)]


def check_typed(command: str) -> None:
    """Parse a command as the shell and the command line would; nothing is run."""
    words = shlex.split(command)[1:]
    words = [word for word in words if word != "--demo"]
    known: dict[str, Any] = dict(reference.commands())
    known["alerts"] = get_command(app).commands["alerts"]  # type: ignore[attr-defined]  # a command by itself, and a group
    if words and words[0] in ("--version", "--install-completion", "--help"):
        return
    name = next((name for name in (" ".join(words[:2]), words[0]) if name in known), None)
    assert name, f"{command}: there is no such command"
    click_command: Any = known[name]
    context = click_command.context_class(click_command, info_name=name)
    given, rest, _ = click_command.make_parser(context).parse_args(args=words[len(name.split()) :])
    assert not rest, f"{command}: {rest} is too much"
    assert set(given) <= {parameter.name for parameter in click_command.params}


@pytest.mark.parametrize(("page", "command"), [(page.name, command) for page in PAGES for command in typed(page)])
def test_every_command_that_a_page_names_can_be_typed(page: str, command: str) -> None:
    check_typed(command)


def sections(page: Path) -> list[tuple[list[str], int]]:
    """Return, for each section, the commands in it and the number of its list items."""
    parts = page.read_text(encoding="utf-8").split("\n## ")[1:]
    return [(sorted(re.findall(r"mystocks [a-z]+", part)), len(re.findall(r"^\d\. ", part, re.M))) for part in parts]


def test_both_troubleshooting_pages_have_the_same_sections_with_the_same_commands() -> None:
    english, chinese = map(sections, TROUBLE)
    assert len(english) == len(chinese) > 25
    assert english == chinese


@pytest.mark.parametrize("problem", PROBLEMS)
def test_every_known_problem_has_its_section(problem: str) -> None:
    assert problem in TROUBLE[0].read_text(encoding="utf-8")


def test_the_page_of_commands_is_in_step() -> None:
    assert reference.PAGE.read_text(encoding="utf-8") == reference.page(), "run: python -m mystocks_dagster.cli.reference"


@pytest.mark.parametrize("command", ["mystocks no_such", "mystocks logs a b", "mystocks check --nothing"])
def test_what_cannot_be_typed_is_noticed(command: str) -> None:
    with pytest.raises(Exception, match=r"no such|too much|No such option"):
        check_typed(command)
