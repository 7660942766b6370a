"""What the pages name is there: commands, modules, variables, tags, values of fields, and the numbers of decisions."""

import re
import unicodedata
from pathlib import Path
from typing import Any, get_args

import pytest
from docs.test_pages import known_commands
from support.project import ROOT

from mystocks_dagster.api.app import create_app
from mystocks_dagster.settings import Settings
from mystocks_dagster.tags import PREFIX, STATES, Metadata, Storage, Tag
from mystocks_dagster.taskfile.field_types import TASK_TYPES
from mystocks_dagster.taskfile.schedule import Schedule

pytestmark = pytest.mark.slow

DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
PAGES = [
    *sorted(ROOT.glob("*.md")),
    ROOT / "tests" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "zh").glob("*.md")),
    *DECISIONS,
]
#: The changelog names what was there once.
PRESENT = [page for page in PAGES if page.name != "CHANGELOG.md"]
#: Programs write these. CHANGELOG.md is a list of lines that are read one at a time.
GENERATED = {"CHANGELOG.md", "cli.md", "contract.md", "tasks-yaml.md"}
SOURCES = [path for path in ROOT.glob("*/**/*.py") if ".venv" not in path.parts]


def label(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def code(page: Path) -> list[str]:
    """Return what a page sets as code within its lines."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    return re.findall(r"`([^`\n]+)`", text)


@pytest.mark.parametrize("page", PRESENT, ids=label)
def test_each_command_that_is_named_exists(page: Path) -> None:
    verbs = {match[1] for span in code(page) for match in re.finditer(r"^mystocks (?:--demo )?([a-z]+)", span)}
    assert verbs <= {words.split()[0] for words in known_commands()}


def test_each_command_in_the_readmes_tables_exists() -> None:
    known = {word for words in known_commands() for word in words.split()}
    for name, heading in (("README.md", "## Every day"), ("README.zh-CN.md", "## 日常命令")):
        section = (ROOT / name).read_text(encoding="utf-8").partition(f"{heading}\n")[2].partition("\n## ")[0]
        cells = re.findall(r"^\| (`.*?) \|", section, re.M)
        assert len(cells) > 8
        assert {verb for cell in cells for verb in re.findall(r"`(?:mystocks )?([a-z]+)", cell)} <= known


@pytest.mark.parametrize("page", PRESENT, ids=label)
def test_each_module_that_is_named_exists(page: Path) -> None:
    named = {span for span in code(page) if re.fullmatch(r"[\w/-]+\.py", span)}
    assert not [span for span in named if not any(path.as_posix().endswith(f"/{span}") for path in SOURCES)]


@pytest.mark.parametrize("page", PRESENT, ids=label)
def test_each_variable_that_is_named_is_read(page: Path) -> None:
    # A variable may be in a file: MYSTOCKS_API_TOKEN_FILE names the one of MYSTOCKS_API_TOKEN.
    named = {
        name.removesuffix("_FILE") for name in re.findall(r"\bMYSTOCKS_[A-Z_]+\b", page.read_text(encoding="utf-8"))
    }
    read = {name for path in SOURCES for name in re.findall(r"\bMYSTOCKS_[A-Z_]+\b", path.read_text(encoding="utf-8"))}
    # dagster.yaml of a user's own may name any variable.
    assert named - read - {"MYSTOCKS_POSTGRES_URL"} == set()


@pytest.mark.parametrize("page", PRESENT, ids=label)
def test_each_tag_that_is_named_exists(page: Path) -> None:
    values = {
        value for names in (Tag, Metadata, Storage) for name, value in vars(names).items() if not name.startswith("_")
    }
    named = [span for span in code(page) if re.fullmatch(rf"({PREFIX}|\.?dagster/mystocks_)[a-z_.]+", span)]
    assert not [span for span in named if span not in values]


def literals(field: str) -> tuple[str, ...]:
    """Return the values of a schedule's field."""
    annotation: Any = Schedule.model_fields[field].annotation
    return get_args(annotation)


@pytest.mark.parametrize("page", ["glossary.md", "zh/glossary.md"])
@pytest.mark.parametrize(
    ("term", "values"),
    [
        ("task type", tuple(TASK_TYPES)),
        ("schedule", literals("schedule_type")),
        ("misfire", literals("misfire")),
        ("state", STATES),
    ],
)
def test_the_glossary_has_each_value_and_no_other(page: str, term: str, values: tuple[str, ...]) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    row = re.search(rf"^\|(?: [^|]* \|)? {term} \|(?: [^|]* \|)? ([^|]*) \|$", text, re.M)
    assert row
    assert set(re.findall(r"`(\w+)`", row[1])) - {"misfire"} == set(values)
    assert len(values) > 2


def test_both_glossaries_have_the_same_terms_in_the_same_order() -> None:
    def terms(page: str) -> list[tuple[str, str]]:
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", text, re.M)
        return [(first, second) for first, second, meaning in rows if meaning not in ("meaning", "含义", "---")]

    english = terms("glossary.md")
    assert [(term, word) for word, term in terms("zh/glossary.md")] == english
    assert len(english) > 60


@pytest.mark.parametrize(
    ("page", "hours"),
    [("limits.md", ("Two hours", "an hour")), ("zh/limits.md", ("两小时", "一小时"))],
)
def test_the_limits_name_the_largest_storms_that_were_tried(page: str, hours: tuple[str, str]) -> None:
    storms = (ROOT / "docs" / "chaos.md").read_text(encoding="utf-8").partition("## Figures")[2]
    counts = [int(count.replace(",", "")) for count in re.findall(r"([\d,]+)\sfaults:", storms)]
    told = (ROOT / "docs" / page).read_text(encoding="utf-8")
    for hour, count in zip(hours, sorted(counts)[:-3:-1], strict=True):
        assert re.search(rf"{hour}[^。.]*?{count:,}", told), (hour, count)


def test_decisions_are_numbered_without_a_gap() -> None:
    assert [int(page.name[:4]) for page in DECISIONS] == list(range(1, len(DECISIONS) + 1))
    for page in DECISIONS:
        assert page.read_text(encoding="utf-8").startswith(f"# {int(page.name[:4])}. "), page.name


def test_each_decision_that_is_named_exists() -> None:
    numbers = {
        int(number)
        for path in (*PAGES, *SOURCES)
        for number in re.findall(r"\bdecision (\d+)", path.read_text(encoding="utf-8"))
    }
    assert len(numbers) > 10
    assert numbers <= set(range(1, len(DECISIONS) + 1))


def test_the_table_of_rest_calls_has_every_call() -> None:
    text = (ROOT / "docs" / "rest.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([A-Z]+) (/\S+?)`((?:, `/\w+`)*) \|", text, re.M)
    named = {(method, path) for method, path, _ in rows}
    named |= {
        (method, f"{path.rpartition('/')[0]}/{more}")
        for method, path, others in rows
        for more in re.findall(r"`/(\w+)`", others)
    }
    paths: dict[str, dict[str, Any]] = create_app(Settings.from_env()).openapi()["paths"]
    served = {(method.upper(), path) for path, calls in paths.items() for method in calls}
    documented = ("/api/", "/health/", "/metrics")
    expected = {call for call in served if call[1].startswith(documented) and not call[1].startswith("/api/groups")}
    assert expected == named


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=label)
def test_each_link_to_a_heading_leads_to_one(page: Path) -> None:
    links = re.findall(r"\]\(([^):]*)#([^)]+)\)", page.read_text(encoding="utf-8"))
    assert not [(name, anchor) for name, anchor in links if anchor not in anchors(page.parent / name if name else page)]


def columns(line: str) -> int:
    """Return the columns that a line takes in a terminal, where a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in line)


@pytest.mark.parametrize("page", [page for page in PAGES if page.name not in GENERATED], ids=label)
def test_prose_is_at_most_120_columns_wide(page: Path) -> None:
    text = re.sub(r"^\s*```.*?^\s*```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    text = re.sub(r"^<!-- Generated.*?(^<!-- End|\Z)", "", text, flags=re.M | re.S)
    prose = [line for line in text.splitlines() if not line.startswith(("|", "    ", "![", "<!--"))]
    assert not [line for line in prose if columns(line) > 120]
