"""The Chinese of what the program says: complete, and found again in a text with its values."""

import json
import re
from pathlib import Path

import pytest
from support.spoken import PACKAGE, helps, rules, spoken

from mystocks_dagster.texts.catalogue import translate
from mystocks_dagster.texts.declarations import texts as declared
from mystocks_dagster.texts.entries import entries

FILES = sorted((PACKAGE / "texts" / "zh").glob("*.json"))
#: Words of tables, states and typer, which stand alone: no text of the source code shows that they are said.
WORDS = json.loads((PACKAGE / "texts" / "zh" / "words.json").read_text(encoding="utf-8"))
#: What other programs say, as far as people meet it often: YAML's reader and DuckDB.
OTHERS = json.loads((PACKAGE / "texts" / "zh" / "others.json").read_text(encoding="utf-8"))
#: The forms of rules that many columns share; their texts are made from the columns' names.
RULE_FORMS = ("{0} is NaN or infinite", "{0}: a price is 0 or below")
#: Texts that wait for their Chinese; this set only becomes smaller.
ENGLISH_ONLY: frozenset[str] = frozenset()
#: In Chinese, `{0:word}` is a value that is translated although it is a single word.
PLACE = re.compile(r"\{(\d+)(?::word)?\}")


def plain(text: str) -> str:
    return text.replace("{{", "{").replace("}}", "}")


def with_values(text: str) -> str:
    """Return a text with a value in each place; one directly behind another is a remark about it."""
    return plain(PLACE.sub(r"v\1x", text))


def as_said(english: str) -> str:
    return with_values(re.sub(r"\}\{(\d+)\}", r"}, {\1}", english))


def as_told(english: str, chinese: str) -> str:
    remarks = re.findall(r"\}\{(\d+)\}", english)
    return with_values(PLACE.sub(lambda place: f", {place[0]}" if place[1] in remarks else place[0], chinese)).strip()


def unspaced(text: str) -> str:
    """Return a text without blanks: between a value and the Chinese around it they depend on the value."""
    return text.replace(" ", "")


@pytest.mark.slow
def test_everything_that_the_program_says_has_a_chinese_text():
    missing = {text: place for text, place in spoken().items() if text not in entries() and text not in declared()}
    new = {text: place for text, place in missing.items() if text not in ENGLISH_ONLY}
    assert not new, "write their Chinese in mystocks_dagster/texts/zh/"
    assert missing.keys() >= ENGLISH_ONLY, "these have their Chinese, or are gone: take them out of ENGLISH_ONLY"


@pytest.mark.slow
def test_the_help_of_every_command_and_parameter_is_in_chinese():
    translated = {plain(english) for english in entries()}
    assert sorted(helps() - translated) == []


@pytest.mark.slow
def test_the_rules_of_every_table_are_in_chinese():
    assert sorted(rule for rule in rules() if translate(rule, "zh") == rule) == []


@pytest.mark.slow
def test_no_translation_is_left_of_a_text_that_is_gone():
    said = {*spoken(), *WORDS, *OTHERS, *rules(), *RULE_FORMS}
    assert [text for text in entries() if text not in said and plain(text) not in helps()] == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_translation_is_chinese_and_has_the_same_values(file: Path):
    for english, chinese in json.loads(file.read_text(encoding="utf-8")).items():
        assert set(PLACE.findall(english)) == set(PLACE.findall(chinese)), english
        assert re.search("[\u3000-\u9fff\uff00-\uff5e]", chinese) or chinese in ("Python", "{0}"), english


def test_no_text_is_translated_twice():
    texts = [text for file in FILES for text in json.loads(file.read_text(encoding="utf-8"))]
    assert len(texts) == len(set(texts))


def test_each_text_is_found_again_with_its_values():
    """A value of two letters stands in each place: of another text's Chinese, its values would be elsewhere."""
    wrong = {
        english: found
        for english, chinese in entries().items()
        if PLACE.search(english)
        and unspaced(found := translate(as_said(english), "zh")) != unspaced(as_told(english, chinese))
    }
    assert not wrong


SAID_OF_A_FILE = re.compile(r"(\{0\} )?(is|was|has|holds|cannot|lies|belongs|already|names|does) \S+ [^()]*$")


def test_what_is_said_of_a_file_is_chinese_whatever_its_folder_is_called():
    """A folder may have blanks, # and brackets in its name."""
    path = "/home/张三/数据 集 #2/My Files (1)/ratings 1.csv"
    wrong = {}
    for english, chinese in entries().items():
        if SAID_OF_A_FILE.match(english):
            said, told = as_said(english), as_told(english, chinese)
            if english.startswith("{0}"):
                said, told = said.replace("v0x", path), told.replace("v0x", path)
            else:
                said, told = f"{path} {said}", f"{path} {told}"
            if unspaced(found := translate(said, "zh")) != unspaced(told):
                wrong[english] = found
    assert not wrong


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        pytest.param(
            "nightly was due while the schedule was switched off.", "nightly 到期时，调度处于关闭状态。", id="skipped"
        ),
        pytest.param("timed out after 30 s", "超时：超过 30 秒", id="timed-out"),
        pytest.param(
            "/srv/tasks.yaml:7:14: tasks is empty\n    7 | - {id: g, tasks: []}\n      |              ^^",
            "/srv/tasks.yaml:7:14: tasks 是空的\n    7 | - {id: g, tasks: []}\n      |              ^^",
            id="what-the-user-has-written-stays",
        ),
        pytest.param(
            "attempt 1 of 3 failed: its process was killed by SIGKILL; its memory peaked at 12 MB."
            " The machine may have run out of memory.",
            "第 1 次尝试失败（共 3 次）：进程被 SIGKILL 强制结束；内存峰值 12 MB。机器可能内存不足。",
            id="killed",
        ),
        pytest.param(
            "bars: 2 trading days, 240 bars from tdx. 3 previous closes were computed from them.",
            "bars: 2 个交易日，240 根 K 线，来自 tdx。据此算出 3 个前收盘价。",
            id="two-sentences",
        ),
        pytest.param(
            "a.com cannot be reached (no route); b.com cannot be reached (refused)",
            "无法连接 a.com（no route）；无法连接 b.com（refused）",
            id="a-list-of-the-same",
        ),
        pytest.param("ValueError: my own text.", "ValueError: my own text.", id="a-users-own-text-stays"),
        pytest.param(
            "task_module is missing Add task_module, such as my.tasks.",
            "缺少 task_module。请加上 task_module，例如 my.tasks。",
            id="a-sentence-of-one-word",
        ),
        pytest.param("failed", "失败", id="a-state"),
        pytest.param(
            "Without the stock list (akshare: it broke off.).",
            "没有股票列表（akshare: it broke off.）。",
            id="a-mark-within-brackets-stays",
        ),
        pytest.param(
            "/x/tasks.yaml cannot be used: it ends early..",
            "/x/tasks.yaml 无法使用：it ends early。",
            id="no-mark-twice",
        ),
        pytest.param("bars of 2017, about 3 min left", "2017 的 K 线，还需约 3 分钟", id="with-the-remaining-time"),
        pytest.param(
            "Refused: 2024-03-15 (prev_close_disagrees: 300 of 300 previous closes are not the stored closes of the day"
            " before, so these are rows of another day, e.g. 600000.SH prev_close=10.94, stored 11.05).",
            "拒绝写入：2024-03-15（prev_close_disagrees：300 个前收盘价中有 300 个不是前一天存储的收盘价，"
            "说明这些行属于另一天，例如 600000.SH prev_close=10.94，存储的是 11.05）。",
            id="a-day-with-its-reason",
        ),
        pytest.param(
            "push2.eastmoney.com (through http://127.0.0.1:9) cannot be reached or closed the connection"
            " (ConnectionError) (3 attempts). Check the network, or try again later.",
            "push2.eastmoney.com（through http://127.0.0.1:9）无法连接，或关闭了连接（ConnectionError）（尝试 3 次）。"
            "请检查网络，或稍后再试。",
            id="a-host-and-what-it-does",
        ),
        pytest.param(
            "2024-01-09 is not published before 2024-01-09 15:30.",
            "2024-01-09 在 2024-01-09 15:30 之前不会发布。",
            id="a-day-and-what-is-said-of-it",
        ),
        pytest.param("margin: nothing to load.", "margin：没有需要装载的数据。", id="without-a-remark"),
        pytest.param(
            "Execution of plan failed. Copies failed: x",
            "Execution of plan failed. Copies failed: x",
            id="no-text-reaches-over-the-end-of-a-sentence",
        ),
        pytest.param("it states no trading days", "it states no trading days", id="most-of-it-is-not-ours"),
        pytest.param(
            "No source of the market's past answers (tdx: it broke off. Ask again tomorrow.). Name a folder or zip:"
            " --from FOLDER.",
            "没有可用的历史行情数据源（tdx: it broke off. Ask again tomorrow.）。请指定文件夹或 zip：--from FOLDER。",
            id="sentences-within-brackets",
        ),
        pytest.param(
            "Execution of run for \"daily_job\" failed. Steps failed: ['load'].",
            "\"daily_job\" 的运行失败。失败的步骤：['load']。",
            id="two-sentences-of-dagster",
        ),
        pytest.param(
            "Incomplete: 2023-01-13: 1 row set aside, 2023-02-22: 2 rows set aside and 26 more.",
            "不完整：2023-01-13: 隔离 1 行，2023-02-22: 隔离 2 行，另有 26 个。",
            id="days-with-their-rows",
        ),
        pytest.param(
            "daily_bars has no version 99; its versions are 0 to 24. List them: mystocks data versions daily_bars",
            "daily_bars 没有版本 99；现有版本：0 至 24。列出它们：mystocks data versions daily_bars",
            id="from-the-first-to-the-last",
        ),
        pytest.param(
            "partly done: My own words. There are more of them. Not done (2): 2026-11-26, 2026-11-27."
            " Run only these again: mystocks run load --failed-only",
            "部分完成：My own words。There are more of them. 未完成（2）：2026-11-26、2026-11-27。"
            "只重做这些：mystocks run load --failed-only",
            id="a-users-own-sentences-within",
        ),
        pytest.param("skipped: margin: nothing to load.", "跳过：margin：没有需要装载的数据。", id="a-word-and-why"),
        pytest.param("[green]queued[/] after: run 3f2a", "[green]已排队[/] after：运行 3f2a", id="a-task-like-a-word"),
        pytest.param("stopped", "已停止", id="a-servers-last-word"),
        pytest.param(
            "/x/tasks.yaml:3:5: owner must be text, found 3", "/x/tasks.yaml:3:5: owner 应为文本，这里是 3", id="a-type"
        ),
        pytest.param(
            "/x/a.csv cannot be read as daily_bars: found more fields than defined in 'Schema'",
            "/x/a.csv 不能作为 daily_bars 读取：有一行的列数多于第一行",
            id="what-polars-says",
        ),
        pytest.param("Did you mean 'load' or 'lead'?", "是不是 'load' 或 'lead'？", id="a-choice-of-names"),
        pytest.param(
            'The query failed: Parser Error: syntax error at or near "selct"\n\nLINE 1: selct 1\n        ^^^^^',
            '查询失败："selct" 附近有语法错误。\n\n第1行： selct 1\n        ^^^^^',
            id="what-duckdb-says",
        ),
        pytest.param(
            "The query failed: INTERNAL Error: Attempted to access index 7",
            "查询失败：原文：INTERNAL Error: Attempted to access index 7",
            id="what-duckdb-says-seldom-is-quoted",
        ),
        pytest.param(
            "this is not YAML: did not find expected ',' or ']' while parsing a flow sequence (line 3)",
            "这不是 YAML：此处应有“,”或“]”，没有找到（解析第 3 行的方括号时）",
            id="what-the-reader-of-yaml-says",
        ),
        pytest.param("Missing argument 'name'.", "缺少参数“name”。", id="a-name-like-a-word-stays"),
        pytest.param(
            "screen:1:6: expected an operator, ',' or ')' before ','. The bracket opens in line 1, column 4.",
            "screen:1:6: ',' 之前应为运算符、',' 或 ')'。左括号在第 1 行，第 4 列。",
            id="where-my-bracket-opens",
        ),
        pytest.param(
            "'(' is not closed before the end in line 1, column 5",
            "'(' 没有闭合，在第 1 行，第 5 列的结尾之前",
            id="where-my-bracket-is-not-closed",
        ),
        pytest.param("the N of MA cannot be 0", "MA 的 N 不能是 0", id="what-the-window-cannot-be"),
        pytest.param("line one\n  the lake is mine", "line one\n  the lake is mine", id="lines-stay"),
        pytest.param(
            "/srv/tasks.yaml has no task 'bse'. Did you mean 'base'?",
            "/srv/tasks.yaml 中没有任务 'bse'。是不是 'base'？",
            id="a-word-within-a-text-is-told",
        ),
        pytest.param("base is a task, not a group.", "base 是任务，不是任务组。", id="two-words-within-a-text"),
        pytest.param("hour 96 is outside 0-23", "小时 96 超出 0-23", id="a-field-of-cron"),
        pytest.param(
            "'：' (fullwidth colon, U+FF1A) is used in place of ':'",
            "'：'（全角冒号，U+FF1A）应写成 ':'",
            id="a-character-of-another-script",
        ),
        pytest.param(
            "It contains U+00AD (soft hyphen). Remove it. Did you mean 'load'?",
            "含有 U+00AD（软连字符）。请去掉它。是不是 'load'？",
            id="a-fault-with-two-hints",
        ),
        pytest.param(
            "'Mcp)x' is outside the task packages Allowed are modules of a.b, desk; add a package of your own to"
            " task_packages.",
            "'Mcp)x' 在任务包之外。可用的是 a.b、desk 中的模块；自己的包请加到 task_packages。",
            id="a-bracket-within-quotes",
        ),
        pytest.param(
            "new sections: run_retries, schedules, nux; as in this version: run_monitoring, concurrency; your file is"
            " kept as dagster.yaml.bak",
            "新增：run_retries、schedules、nux；改为与本版本一致：run_monitoring、concurrency；"
            "你的文件保留为 dagster.yaml.bak",
            id="lists-beside-other-texts",
        ),
        pytest.param(
            "Signals stored: ma_crossover 11,684, kdj_overbought 8,224",
            "已存储信号：ma_crossover 11,684、kdj_overbought 8,224",
            id="a-list-of-names-and-numbers",
        ),
        pytest.param(
            "Input should be 'pending', 'paused' or 'failed'",
            "应为 'pending'、'paused' 或 'failed'",
            id="a-choice-of-three",
        ),
        pytest.param(
            "There is no strategy 'risess'. Did you mean 'rises'?",
            "没有策略 'risess'。是不是 'rises'？",
            id="a-sentence-that-is-elsewhere-a-part-of-one",
        ),
        pytest.param(
            "alerts may not be written from here: it decides where messages go. Edit /t/tasks.yaml itself, or use"
            " `mystocks edit` or `mystocks import`.",
            "不能在此写入 alerts：它决定消息发往何处。请直接编辑 /t/tasks.yaml，"
            "或使用 `mystocks edit` 或 `mystocks import`。",
            id="a-space-between-chinese-and-a-latin-name",
        ),
        pytest.param(
            "value:1:22: this is not YAML: mapping values are not allowed in this context\n"
            "    1 | value: at 16:00, when: closed",
            "value:1:22: 这不是 YAML：此处不能有“键: 值”\n    1 | value: at 16:00, when: closed",
            id="no-text-reaches-into-an-excerpt",
        ),
        pytest.param(
            "[yellow]→ correct the file that the message names, then: mystocks calendar[/]",
            "[yellow]→ 改正消息所指的文件，然后：mystocks calendar[/]",
            id="a-text-in-a-colour",
        ),
        pytest.param(
            "akshare has only days from the beginning to today", "akshare 只有最早至今天的数据", id="what-a-source-has"
        ),
        pytest.param(
            "taskfile_samples.raises cannot be imported: ZeroDivisionError: division by zero",
            "taskfile_samples.raises 无法导入：原文：ZeroDivisionError: division by zero",
            id="an-error-of-python-is-quoted",
        ),
    ],
)
def test_a_text_is_told_in_chinese(english: str, chinese: str):
    assert translate(english, "zh") == chinese
    assert translate(english, "en") == english
