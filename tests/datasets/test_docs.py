"""docs/datasets.md: its generated part is that of the model and the shipped files, and what it shows is valid."""

import json

import pytest

from mystocks_dagster.datasets import registry
from mystocks_dagster.datasets.docs import MARK, PAGE, SCHEMA, generated_text, schema_text, snippet
from mystocks_dagster.taskfile.reader import load_text
from mystocks_dagster.taskfile.yaml.source import parse_text

RUN = "run `python -m mystocks_dagster.datasets.docs`"


@pytest.fixture(autouse=True)
def _no_own_datasets(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("MYSTOCKS_ROOT", str(tmp_path_factory.mktemp("empty")))


def test_the_page_is_that_of_the_files() -> None:
    assert PAGE.read_text(encoding="utf-8").partition(MARK)[2] == generated_text(), RUN
    assert SCHEMA.read_text(encoding="utf-8") == schema_text(), RUN


@pytest.mark.parametrize("name", sorted(path.stem for path in registry.SHIPPED.glob("*.yaml")))
def test_each_shipped_file_fits_the_schema_and_its_task_is_valid(
    name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    dataset = registry.find(name)
    text = dataset.file.read_text(encoding="utf-8")
    jsonschema.validate(parse_text(text, str(dataset.file)).data, json.loads(schema_text()))
    task = load_text("tasks:\n" + snippet(dataset), tmp_path_factory.mktemp("tasks") / "tasks.yaml")
    assert task.problems == ()
    assert task.writes == {f"sync_{name}": (dataset.table.name,)}
