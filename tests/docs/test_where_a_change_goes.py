"""A new source, table, check and field, each declared once in a copy of the package: everything else derives.

The files that `CHANGES` writes or adds to are all that each change takes; see "Where does my change go?" in
CONTRIBUTING.md.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.project import ROOT

from mystocks_dagster.source_choice import source_names

SOURCE = {
    "sources/made_up/__init__.py": """
from mystocks_dagster.sources.declaration import Offer, SourceDeclaration

SOURCE = SourceDeclaration(
    name="made_up", about="one invented row", world="simulated", needs="`MYSTOCKS_MADE_UP`",
    offers=(Offer(table="pledges", past="all"),),
    implementation="mystocks_dagster.sources.made_up.source:MadeUp", ready=lambda settings: "it is always there",
)
""",
    "sources/made_up/source.py": """
from datetime import date

import polars as pl

class MadeUp:
    name, world, offers, has_history = "made_up", "simulated:made_up", frozenset({"pledges"}), True

    def __init__(self, settings):
        self.share = float(settings.source_option("made_up"))

    def rows(self, table, start, end):
        frame = {"symbol": ["600000.SH", "none"], "date": [start, start], "share": [self.share, 5.0]}
        return pl.DataFrame(frame)
""",
}
TABLE = {
    "market/tables/flows.py": """
PLEDGES = Table(
    name="pledges", title="股权质押", about="Pledged shares by stock and day", about_zh="每只股票的质押比例",
    domain="flows", origin="source", grain="one symbol on one trading day", key=("symbol", "date"),
    date_column="date", columns=(SYMBOL, DATE, number("share", "percent of all shares")),
    rules=(SYMBOL_FORM,),
)
""",
    "tasks/pledges.py": """
from datetime import date

from mystocks_dagster.tasks.param_types import SourceName, TaskParams
from mystocks_dagster.tasks.run import TaskResult, TaskRun, declares

class PledgeParams(TaskParams):
    data_source: SourceName = None

@declares(writes=("pledges",))
def fetch_pledges(params: PledgeParams, run: TaskRun) -> TaskResult:
    source = run.source(params.data_source)
    day = date(2024, 1, 2)
    return TaskResult(rows={"pledges": run.lake(source.world).upsert("pledges", source.rows("pledges", day, day))})
""",
}
CHECK = ("market/tables/flows.py", "rules=(SYMBOL_FORM,),\n)", """rules=(
        SYMBOL_FORM,
        Rule("pledged_in_full", "all shares are pledged", lambda: pl.col("share") >= 100, "check"),
    ),
)""")  # fmt: skip
FIELD = ("taskfile/model.py", "    task_type: Annotated[", """    reviewer: Annotated[
        Literal["", "alice", "bob"], FormField("复核人", "Reviewer", choices={"alice": ("甲", "Alice")})
    ] = Field(default="", description="Who reviews its results.")
    task_type: Annotated[""")  # fmt: skip
TASKS = """
tasks:
  - {task_id: pledge, task_type: market_fetch, task_module: mystocks_dagster.tasks.pledges,
     task_function: fetch_pledges, reviewer: alice, params: {data_source: made_up}}
"""
ASK = r"""
import json
from mystocks_dagster.api.pages import task_form, translations
from mystocks_dagster.api.pages.run_form import params_of
from mystocks_dagster.factory.build import build_definitions
from mystocks_dagster.lake.docs import tables_markdown
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.docs import sources_markdown
from mystocks_dagster.sources.reach import reach
from mystocks_dagster.taskfile.reader import load_task_file
from mystocks_dagster.taskfile.reference import reference_text
from mystocks_dagster.taskfile.schema import task_file_schema

settings = Settings.from_env()
version = load_task_file(settings.task_file)
definitions = build_definitions(version)
result = definitions.resolve_job_def("pledge").execute_in_process()
parts = task_form.parts_of("tasks", new=True)
(field,) = [field for field in task_form.fields_of(parts) if field.name == "reviewer"]
graph = definitions.resolve_asset_graph()
(node,) = [graph.get(key) for key in graph.get_all_asset_keys() if key.to_user_string() == "pledges"]
print("ANSWER" + json.dumps({
    "world": Lake(settings.lake).stored_world(),
    "stored": Lake(settings.lake).read("pledges").rows(),
    "checks": {one.check_name: one.passed for one in result.get_asset_check_evaluations()},
    "built": sorted(key.name for key in node.check_keys),
    "columns": [column.description for column in node.metadata["dagster/column_schema"].columns],
    "source row": [line for line in sources_markdown().splitlines() if "made_up" in line],
    "reach": reach("made_up", settings),
    "sources offered": params_of(version.taskfile.tasks[0], version.functions["pledge"])[0].choices,
    "lake docs": [line for line in tables_markdown().splitlines() if "pledge" in line.lower()],
    "field": [field.kind, field.choices, field.declared.label, field.declared.choices["alice"]],
    "label": [translations.translator(language)("reviewer") for language in ("zh", "en")],
    "reference": [line for line in reference_text().splitlines() if line.startswith("| `reviewer`")],
    "schema": task_file_schema()["definitions"]["Task"]["properties"]["reviewer"]["default"],
    "written": version.taskfile.tasks[0].written()["reviewer"],
}, default=str))
"""


@pytest.fixture(scope="module")
def answer(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a project of the changed package says."""
    folder = tmp_path_factory.mktemp("changed")
    package = folder / "mystocks_dagster"
    shutil.copytree(ROOT / "mystocks_dagster", package)  # with the bytecode, which is valid there too
    for name, text in {**SOURCE, **TABLE}.items():
        path = package / name
        path.parent.mkdir(exist_ok=True)
        path.write_text((path.read_text(encoding="utf-8") if path.exists() else "") + text, encoding="utf-8")
    for name, before, after in (CHECK, FIELD):
        text = (package / name).read_text(encoding="utf-8")
        assert text.count(before) == 1, f"{before!r} is not the one place in {name}"
        (package / name).write_text(text.replace(before, after), encoding="utf-8")
    (folder / "tasks.yaml").write_text(TASKS, encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MYSTOCKS_", "DAGSTER_"))}
    environment |= {"PYTHONPATH": str(folder), "MYSTOCKS_MADE_UP": "100", "DAGSTER_HOME": str(folder / ".dagster")}
    done = subprocess.run([sys.executable, "-c", ASK], cwd=folder, env=environment, capture_output=True, text=True)
    assert "ANSWER" in done.stdout, done.stderr
    return json.loads(done.stdout.partition("ANSWER")[2])


def test_a_new_source_is_two_files_of_its_own(answer: dict[str, Any]):
    assert len(SOURCE) == 2
    assert answer["source row"] == [
        "| `made_up` | one invented row | `simulated:<seed>` | `MYSTOCKS_MADE_UP` | 1 table, see below |",
        "| `pledges` | `made_up` | all | none |  | SH, SZ, BJ |  |",
    ]
    assert answer["reach"] == "it is always there"
    assert answer["sources offered"] == [*sorted([*source_names(), "made_up"]), "auto"]
    assert answer["world"] == "simulated:made_up"


def test_a_new_table_is_its_declaration_and_its_task(answer: dict[str, Any]):
    assert len(TABLE) == 2  # the third file is the source that fills it
    assert answer["stored"] == [["600000.SH", "2024-01-02", 100.0]]  # the row of no symbol is set aside
    assert answer["columns"][2] == "percent of all shares"
    assert answer["lake docs"] == [
        "### pledges (股权质押)",
        "Pledged shares by stock and day (group `flows`).",
        "| `pledged_in_full` | all shares are pledged | the row is stored, and the table's asset check warns |",
        "Checks: `pledged_in_full`, `value_rules`, `keys_unique` (blocks), `required_values` (blocks), "
        "`rows_set_aside`.",
    ]


def test_a_new_check_is_a_rule_of_its_table(answer: dict[str, Any]):
    of_every_table = ["keys_unique", "last_run", "required_values", "rows_set_aside", "value_rules"]
    assert answer["built"] == sorted(["pledged_in_full", *of_every_table])
    assert answer["checks"] == {name: name != "pledged_in_full" for name in answer["built"]}


def test_a_new_field_of_the_task_file_is_in_the_form_the_reference_and_the_schema(answer: dict[str, Any]):
    assert answer["field"] == ["choice", ["", "alice", "bob"], ["复核人", "Reviewer"], ["甲", "Alice"]]
    assert answer["label"] == ["复核人", "Reviewer"]
    assert answer["reference"] == ["| `reviewer` | ``, `alice`, `bob` |  | Who reviews its results. |  |"]
    assert answer["schema"] == ""
    assert answer["written"] == "alice"


def test_the_packages_files_are_where_the_changes_are_made():
    for name in (*TABLE, CHECK[0], FIELD[0]):
        assert (ROOT / "mystocks_dagster" / name).exists() == (name != "tasks/pledges.py")
    assert not (ROOT / "mystocks_dagster" / Path(next(iter(SOURCE))).parent).exists()
