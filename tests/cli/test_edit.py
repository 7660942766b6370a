"""Editing tasks.yaml from the command line: comments and order stay, what is wrong is refused with its line, nothing
is lost."""

import json

import pytest
from support.commands import Commands

TASKS = """\
# The tasks of a small desk.
defaults: {task_module: mystocks_dagster.tasks.maintenance, task_function: cleanup_cache_data}
tasks:
  # First the base.
  - task_id: base
    task_type: manual
    timeout: 60   # a minute
  - task_id: daily
    task_type: cron
    schedule: {schedule_type: cron, cron_expression: "0 16 * * 1-5"}
    dependencies: [base]
task_groups:
  - group_id: evening
    tasks: [base, daily]
"""
MORE = (
    "task_id: more\ntask_type: manual\ntask_module: mystocks_dagster.tasks.maintenance\ntask_function:"
    " cleanup_cache_data\n"
)


@pytest.fixture(autouse=True)
def _tasks(cli: Commands) -> None:
    cli.folder.write("tasks.yaml", TASKS)


def text(cli: Commands) -> str:
    return (cli.folder.root / "tasks.yaml").read_text(encoding="utf-8")


def test_an_edit_changes_its_lines_and_keeps_the_rest(cli: Commands) -> None:
    told = cli("edit", "base", "timeout=120")
    assert text(cli) == TASKS.replace("timeout: 60", "timeout: 120")
    assert "+    timeout: 120" in told
    assert "the web UI of this project is not running" in told
    assert (cli.folder.root / "tasks.yaml.bak").read_text(encoding="utf-8") == TASKS


def test_edits_tell_programs_what_they_did(cli: Commands) -> None:
    (cli.folder.root / "more.yaml").write_text(MORE, encoding="utf-8")
    (cli.folder.root / "other.yaml").write_text(
        f"tasks:\n- {MORE.replace(chr(10), chr(10) + '  ').strip()}\n", encoding="utf-8"
    )
    commands = (["edit", "base", "timeout=120"], ["add", "more.yaml"], ["remove", "more"], ["import", "other.yaml"])
    for command in commands:
        before = text(cli)
        planned = cli.json(*command, "--dry-run")
        assert (planned["changed"], planned["dry_run"], text(cli)) == (False, True, before)
        done = cli.json(*command)
        assert (done["changed"], done["diff"], done["not_reloaded"]) == (True, planned["diff"], None)
        assert done["reloaded"]["version"]
        assert text(cli) != before
    assert cli.json("edit", "base", "timeout=120")["changed"] is False


def test_values_are_read_as_the_file_reads_them(cli: Commands) -> None:
    paths = "params.cleanup_paths=[tmp, temp]"
    cli("edit", "daily", "schedule.cron_expression=* * * * *", "schedule.start_time=2026-12-01T09:00:00", paths)
    cli("edit", "daily", "tags=[000001, 每日]", "description=at 16:00, when: closed", "dependencies=")
    shown = cli.json("show", "daily")
    assert shown["schedule"]["cron_expression"] == "* * * * *"
    assert shown["schedule"]["start_time"] == "2026-12-01T09:00:00+08:00"
    assert shown["params"] == {"cleanup_paths": ["tmp", "temp"]}
    assert shown["tags"] == ["000001", "每日"]
    assert shown["description"] == "at 16:00, when: closed"
    assert "dependencies" not in shown


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["edit", "daily", "schedule.cron_expression=61 * * * *"], ["tasks.yaml:10:", "61", "0"]),
        (["edit", "base", "timeot=5"], ["timeot", "Did you mean 'timeout'"]),
        (["edit", "daily", "dependencies=[bse]"], ["bse", "Did you mean 'base'"]),
        (["edit", "bse", "timeout=5"], ["no task 'bse'", "base"]),
        (["remove", "base"], ["daily", "evening"]),
        (["remove", "nothing"], ["no task 'nothing'"]),
        (["export", "tasks.yaml"], ["the task file itself"]),
    ],
    ids=lambda value: "-".join(value)[:40],
)
def test_what_would_be_wrong_is_refused_and_the_file_stays(
    cli: Commands, arguments: list[str], expected: list[str]
) -> None:
    told = cli(*arguments, code=1)
    for part in expected:
        assert part in told
    assert text(cli) == TASKS


def test_wrong_usage_is_exit_code_two(cli: Commands) -> None:
    cli("edit", "base", "timeout", code=2)
    cli("edit", "base", code=2)
    cli("add", "no_such_file.yaml", code=2)
    cli("export", "--format", "xml", code=2)


@pytest.mark.parametrize(
    "entry",
    [
        MORE,
        json.dumps({"task_id": "more", "task_type": "manual"}),
        "- " + MORE.replace("\n", "\n  ").rstrip() + "\n",
        "tasks:\n- task_id: more\n  task_type: manual\n",
    ],
    ids=["a mapping", "json", "a list of one", "a file of one"],
)
def test_a_task_is_added_from_stdin(cli: Commands, entry: str) -> None:
    cli("add", "-", stdin=entry)
    assert text(cli).startswith(TASKS[: TASKS.index("task_groups")])
    assert [task["task_id"] for task in cli.json("list")] == ["base", "daily", "more"]


def test_a_group_is_added_from_a_file(cli: Commands) -> None:
    cli("add", str(cli.folder.write("group.yaml", "group_id: night\ntasks: [daily]\n")))
    assert cli.json("show", "night")["tasks"] == ["daily"]
    cli("edit", "night", "enabled=false")
    assert cli.json("show", "night")["enabled"] is False
    cli("remove", "night")
    assert "night" not in text(cli)


def test_a_taken_id_and_several_entries_are_refused(cli: Commands) -> None:
    assert "already" in cli("add", "-", stdin="task_id: base\ntask_type: manual\n", code=1)
    told = cli("add", "-", stdin="- {task_id: a, task_type: manual}\n- {task_id: b, task_type: manual}\n", code=1)
    assert "2 entries" in told
    assert "mystocks import" in told
    assert text(cli) == TASKS


def test_force_takes_a_task_out_of_what_names_it(cli: Commands) -> None:
    cli("remove", "base", "--force")
    assert [task["task_id"] for task in cli.json("list")] == ["daily"]
    assert cli.json("show", "evening")["tasks"] == ["daily"]
    cli("check")


def test_a_dry_run_shows_the_difference_and_changes_nothing(cli: Commands) -> None:
    more = cli.folder.write("more.yaml", "tasks:\n  - " + MORE.replace("\n", "\n    ").rstrip() + "\n")
    for arguments in (
        ["import", str(more)],
        ["edit", "base", "timeout=5"],
        ["remove", "base", "--force"],
        ["add", "-"],
    ):
        told = cli(*arguments, "--dry-run", stdin=MORE)
        assert "A dry run" in told
        assert "@@" in told
    assert text(cli) == TASKS


@pytest.mark.parametrize("name", ["out.yaml", "out.json"])
def test_an_export_imported_elsewhere_is_the_same(cli: Commands, name: str) -> None:
    before = cli.json("list")
    cli("export", name)
    assert cli("export", "--format", "json" if name.endswith("json") else "yaml") == (cli.folder.root / name).read_text(
        encoding="utf-8"
    )
    cli.folder.write("tasks.yaml", "tasks: []\n")
    cli("import", name)
    assert cli.json("list") == before
    assert "Nothing to change" in cli("import", name)


@pytest.mark.parametrize(("name", "change"), [("base", "task_id=foundation"), ("evening", "group_id=night")])
def test_an_id_cannot_be_changed_since_the_history_would_be_cut_off(cli: Commands, name: str, change: str) -> None:
    for options in ([], ["--dry-run"]):
        refused = " ".join(cli("edit", name, change, *options, code=1).split())
        assert f"The id of {name} cannot be changed, because its history refers to it." in refused
    assert text(cli) == TASKS
    field, _, _ = change.partition("=")
    assert "Nothing to change." in cli("edit", name, f"{field}={name}")
