"""Commands speak Chinese or English, as the terminal or `--lang` says; what programs read stays the same."""

import json
from itertools import pairwise

import pytest
from rich.cells import cell_len
from support.commands import Commands

from mystocks_dagster.cli.reference import commands

#: Every command as it is typed, and the groups of commands.
WORDS = [(), *[tuple(words.split()) for words, _ in commands()]]
GROUPS = sorted({words[:1] for words in WORDS if len(words) > 1})
TASKS = """
    tasks:
      - task_id: tidy
        task_type: cron
        task_module: app.tasks.maintenance
        task_function: cleanup_cache_data
        schedule: {schedule_type: cron, cron_expression: "0 16 * * 1-5", trading_days_only: true}
        params: {}
"""


@pytest.fixture
def project(cli: Commands) -> Commands:
    cli.folder.write("tasks.yaml", TASKS)
    return cli


def test_the_terminals_language_is_the_language_of_the_tables(project: Commands, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    listed = project("list")
    assert "任务" in listed
    assert "调度" in listed
    assert "0 16 * * 1-5，仅交易日" in listed


def test_lang_before_the_command_wins_over_the_terminal(project: Commands, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert "priority" in project("--lang", "en", "list")
    monkeypatch.setenv("LC_ALL", "en_GB.UTF-8")
    assert "优先级" in project("--lang", "zh", "list")


def test_a_language_that_does_not_exist_is_said(project: Commands, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MYSTOCKS_LANG", "fr")
    assert "MYSTOCKS_LANG is 'fr'; write zh or en." in project("list", code=1)


def test_an_error_and_its_remedy_are_chinese(project: Commands):
    told = project("--lang", "zh", "run", "tydi", code=1)
    assert "错误：" in told
    assert "没有任务或任务组 'tydi'。" in told
    assert "是不是 tidy？" in told


def test_a_wrong_task_file_is_explained_in_chinese_at_its_line(project: Commands):
    project.folder.write("tasks.yaml", TASKS.replace("schedule:", "shedule:"))
    told = project("--lang", "zh", "check", code=1)
    assert "tasks.yaml:7:5: 未知的键 'shedule'" in told
    assert "是不是 'schedule'？" in told
    assert "1 个问题" in told


def test_wrong_usage_and_help_are_chinese(project: Commands):
    assert "没有选项 --nonsense" in project("--lang", "zh", "list", "--nonsense", code=2)
    told = project("--lang", "zh", "run", "--help")
    assert "选项" in told
    assert "只重做该任务上次执行中失败的部分。" in told
    assert "显示此帮助后退出。" in told


@pytest.mark.parametrize("words", [("list", "--json"), ("next", "--json"), ("stats", "--json")], ids=lambda w: w[0])
def test_json_is_the_same_in_both_languages(project: Commands, words: tuple[str, ...]):
    assert project("--lang", "zh", *words) == project("--lang", "en", *words)


def test_the_json_of_an_error_is_the_same_in_both_languages(project: Commands):
    told = [json.loads(project._run(("--lang", name, "run", "tydi", "--json"), 1, "").out) for name in ("zh", "en")]
    assert told[0] == told[1]


def test_names_of_columns_in_the_lake_are_not_translated(project: Commands):
    assert "name" in project("--lang", "zh", "data", "query", "SELECT 'x' AS name, 'failed' AS state").split()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_h_is_help_for_every_command(project: Commands, language: str):
    for words in (*WORDS, *GROUPS):
        assert project("--lang", language, *words, "-h") == project("--lang", language, *words, "--help"), words
    assert "-h" in project("--lang", language, "-h")


def test_wrong_usage_names_the_long_form_of_help(project: Commands):
    assert "'mystocks list --help'" in project("--lang", "en", "list", "--nonsense", code=2)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_help_fills_a_narrow_terminal_and_breaks_no_line_before_it_is_full(
    project: Commands, language: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("COLUMNS", "80")
    for words in (*WORDS, *GROUPS):
        about = [line.rstrip() for line in project("--lang", language, *words, "--help").split("╭")[0].splitlines()]
        for line, below in pairwise(about):
            assert cell_len(line) <= 80, words
            first = below.split(" ")[1] if below.startswith(" ") else ""
            goes_on = line.strip() and below.strip() and "Usage:" not in line and "用法" not in line
            if goes_on:
                assert cell_len(line) + 1 + cell_len(first) > 78, (words, line, below)
