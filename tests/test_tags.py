"""The names that Dagster keeps stand in tags.py alone, and agree with Dagster, dagster.yaml and the documents."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from dagster._core.definitions.assets.job.asset_job import IMPLICIT_ASSET_JOB_NAME
from dagster._core.definitions.repository_definition import SINGLETON_REPOSITORY_NAME
from dagster._core.storage.tags import PRIORITY_TAG

from mystocks_dagster import tags
from mystocks_dagster.cli.printing import COLOURS
from mystocks_dagster.tags import Metadata, State, Storage, Tag

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "mystocks_dagster"
_NAME = re.compile(r"mystocks/[a-z]")
_SUFFIX = re.compile(r"__(task|asset|schedule|sensor|broken)\b|__ASSET_JOB|__repository__")
#: Rooms that know no executions: what looks like a state there is a word of the market's or of a service manager's.
_NO_EXECUTIONS = ("market", "sources", "servicefiles", "lake", "trading_calendar")
#: Modules with the same words for something else: what the pages call the states, and how far a reload is.
_OTHER_WORDS = (
    PACKAGE / "api" / "pages" / "translations.py",
    PACKAGE / "project" / "edit.py",
    PACKAGE / "tasks" / "backtest_cluster.py",  # the state of a Dask client
)


def literals(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and text of every string of a module that is not a docstring, parts of f-strings included."""
    tree = ast.parse(source)
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.lineno, node.value


def states(source: str, *, returned: bool) -> Iterator[tuple[int, str]]:
    """Yield line and text of each state of an execution that is written out where a state is compared, listed or set.

    Args:
        source: The module.
        returned: Also those that a `TaskResult` is made with; a task's function names them, as users' functions do.
    """
    for node in ast.walk(ast.parse(source)):
        for one in _places(node, returned=returned):
            for text in _texts(one):
                if text.value in tags.STATES:
                    yield text.lineno, text.value


def _places(node: ast.AST, *, returned: bool) -> list[Any]:
    match node:
        case ast.Compare():
            return [node.left, *node.comparators]
        case ast.Tuple() | ast.List() | ast.Set():
            return node.elts
        case ast.MatchValue() | ast.Return() | ast.AnnAssign():
            return [node.value]
        case ast.Dict():
            pairs = zip(node.keys, node.values, strict=True)
            return [value for key, value in pairs if isinstance(key, ast.Constant) and key.value == "status"]
        case ast.keyword(arg="status") if returned:
            return [node.value]
    return []


def _texts(node: Any) -> list[ast.Constant]:
    match node:
        case ast.Constant(value=str()):
            return [node]
        case ast.IfExp():
            return [*_texts(node.body), *_texts(node.orelse)]
    return []


def modules() -> list[Path]:
    return [path for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "tags.py"]


def test_no_other_module_writes_out_a_tag_or_a_suffix() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {text!r}"
        for path in modules()
        for line, text in literals(path.read_text(encoding="utf-8"))
        if _NAME.search(text) or _SUFFIX.search(text)
    ]
    assert not wrong, "\n".join(["use mystocks_dagster.tags instead:", *wrong])


def test_no_other_module_writes_out_a_state() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {text!r}"
        for path in modules()
        if path.relative_to(PACKAGE).parts[0] not in _NO_EXECUTIONS and path not in _OTHER_WORDS
        for line, text in states(
            path.read_text(encoding="utf-8"), returned=path.relative_to(PACKAGE).parts[0] != "tasks"
        )
    ]
    assert not wrong, "\n".join(["use mystocks_dagster.tags.State instead:", *wrong])


@pytest.mark.parametrize(
    "line",
    [
        'x = run.tags.get("mystocks/task_id")',
        'x = f"mystocks/tag.{label}"',
        'name = f"{job}__schedule"',
        'name = "alerts__sensor"',
        'job = "__ASSET_JOB"',
    ],
)
def test_the_look_finds_a_name_that_is_written_out(line: str) -> None:
    assert any(_NAME.search(text) or _SUFFIX.search(text) for _, text in literals(f'"""A mystocks/tag."""\n{line}\n'))


@pytest.mark.parametrize(
    "line",
    [
        'one.status == "failed"',
        'x = one.status in ("pending", "running")',
        'x = {"success", "partial_success"}',
        'x = TaskResult(status="failed")',
        'x = {"status": "skipped"}',
        'def f():\n    return "running" if starts else "pending"',
        'match one.status:\n    case "cancelled":\n        pass',
        'Status = Literal["success", "failed"]',
        'status: str = "success"',
    ],
)
def test_the_look_finds_a_state_that_is_written_out(line: str) -> None:
    assert list(states(f"{line}\n", returned=True))


def test_the_sets_of_states() -> None:
    everything = ["pending", "paused", "running", "success", "partial_success", "failed", "skipped", "cancelled"]
    named = {name: value for name, value in vars(State).items() if name.isupper()}
    assert list(named.values()) == list(tags.STATES) == list(get_args(tags.Status)) == everything
    assert all(name.lower() == value for name, value in named.items())
    assert set(tags.RESULT_STATES) == {"success", "partial_success", "failed", "skipped"}
    assert {"pending", "paused"} == tags.WAITING
    assert {"pending", "paused", "running"} == tags.UNDER_WAY
    assert {"success", "partial_success", "failed"} == tags.OUTCOMES
    assert set(COLOURS) == set(everything)


def values(room: type) -> set[str]:
    return {value for name, value in vars(room).items() if name.isupper()}


def test_every_name_begins_as_ours_and_means_one_thing() -> None:
    for room in (Tag, Metadata, Storage):
        names = [value for name, value in vars(room).items() if name.isupper()]
        assert len(names) == len(set(names))
        assert all(name.startswith((tags.PREFIX, "dagster/", ".dagster/")) for name in names)


def test_dagster_has_the_same_names() -> None:
    assert (tags.REPOSITORY, tags.ASSET_JOB) == (SINGLETON_REPOSITORY_NAME, IMPLICIT_ASSET_JOB_NAME)
    assert Tag.PRIORITY == PRIORITY_TAG


def test_workspace_yaml_has_the_same_location() -> None:
    described = yaml.safe_load((ROOT / "workspace.yaml").read_text(encoding="utf-8"))
    assert f"location_name: {tags.LOCATION}" in yaml.safe_dump(described)


@pytest.mark.parametrize(
    "path", [ROOT / "dagster.yaml", *sorted((ROOT / "docs").rglob("*.md"))], ids=lambda path: path.name
)
def test_files_name_no_other_tag(path: Path) -> None:
    known = values(Tag) | values(Metadata) | values(Storage) | {f"{Tag.LABEL}<tag>"}
    named = set(re.findall(r"(?:`|key: |key: \")(mystocks/[a-z_.<>]+)", path.read_text(encoding="utf-8")))
    assert named <= known


def test_dagster_yaml_limits_the_lane() -> None:
    text = (ROOT / "dagster.yaml").read_text(encoding="utf-8")
    assert f"key: {Tag.LANE}" in text
