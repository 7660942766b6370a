"""A whole text of the program within another one: a problem of a dataset in that of a task, a fault and its remedy."""

import json
import re

import pytest
from support.spoken import PACKAGE

from mystocks_dagster.excerpts import suggest, with_remedy
from mystocks_dagster.taskfile.problems import shorten
from mystocks_dagster.texts.catalogue import translate
from mystocks_dagster.texts.entries import entries

#: In Chinese, `{0:word}` is a value that is translated although it is a single word.
PLACE = re.compile(r"\{(\d+)(?::word)?\}")
#: A text whose end is a value behind a colon: the reason, or the fault of another file.
REASON = re.compile(r": \{(\d+)\}\.?$")
#: A reason within a text: sentences of the text follow it.
REASON_WITHIN = re.compile(r": \{(\d+)\}(\.?) (?=[A-Z])")


def filled(text: str, **values: str) -> str:
    """Return a text with the values of some places, and a name in each other one."""
    text = PLACE.sub(lambda place: values.get(f"at{place[1]}", f"v{place[1]}x"), text)
    return text.replace("{{", "{").replace("}}", "}")


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        pytest.param(
            "the dataset ratings has a problem: datasets/ratings.yaml:1:1: title is missing",
            "数据集 ratings 有问题：datasets/ratings.yaml:1:1: 缺少 title",
            id="dataset",
        ),
        pytest.param(
            "the dataset ratings has a problem: datasets/ratings.yaml:1:1: title is missing (and 3 more problems)",
            "数据集 ratings 有问题：datasets/ratings.yaml:1:1: 缺少 title（另有 3 个问题）",
            id="dataset-with-more",
        ),
        pytest.param(
            "formula of mine, 1:5: A name stands alone before : or :=; is a ; missing? (2 more in this formula)",
            "mine 的公式，1:5：: 或 := 之前只能有一个名称；是否缺少 ; ？（此公式还有 2 个）",
            id="formula",
        ),
        pytest.param(
            "Not read from the archive: a.csv: an archive cannot hold signals and 3 more.",
            "没有从归档读取：a.csv: 归档不能存放 signals，另有 3 个。",
            id="archive",
        ),
        pytest.param(
            "tasks.yaml:1:1: the task file is empty. Write `tasks:` and put the list below it. Until the file is valid "
            "(see: mystocks check), its last good version 5e0a is used.",
            "tasks.yaml:1:1: 任务文件是空的。请写 `tasks:`，并把列表放在下面。在文件改好之前（见：mystocks "
            "check），使用上一个正确的版本 5e0a。",
            id="task-file",
        ),
        pytest.param(
            f"a was not started. params: the grid has no parameter 'foo'. Allowed: {', '.join('abcdefghijklmnopqr')}.",
            f"a 没有启动。params: 网格没有参数 'foo'。可选：{'、'.join('abcdefghijklmnopqr')}。",
            id="a-long-list-behind",
        ),
    ],
)
def test_a_text_within_another_is_told_in_its_place(english: str, chinese: str):
    assert translate(english, "zh") == chinese


def test_a_fault_is_told_as_the_end_of_whatever_names_it():
    """`title is missing` would otherwise take all before it for the name of what is missing."""
    wrong = {}
    for english, chinese in entries().items():
        if (end := REASON.search(english)) and "原文" not in chinese:
            found = translate(filled(english, **{f"at{end[1]}": "title is missing"}), "zh")
            told = filled(chinese, **{f"at{end[1]}": "缺少 title"})
            if found.replace(" ", "") != told.replace(" ", ""):
                wrong[english] = found
    assert not wrong


def test_a_reason_of_several_sentences_is_told_within_whatever_names_it():
    wrong = {}
    for english, chinese in entries().items():
        for place in REASON_WITHIN.finditer(english):
            end, ende = ("", "") if place[2] else (".", "。")
            said = filled(english, **{f"at{place[1]}": f"title is missing. The task file is empty{end}"})
            told = filled(chinese.replace("原文：", ""), **{f"at{place[1]}": f"缺少 title。任务文件是空的{ende}"})
            if (found := translate(said, "zh")).replace(" ", "") != told.replace(" ", "").replace("。。", "。"):
                wrong[english] = found
    assert not wrong


@pytest.mark.parametrize("file", ["taskfile", "datasets"])
def test_a_fault_and_its_remedy_are_two_sentences(file: str):
    texts = json.loads((PACKAGE / "texts" / "zh" / f"{file}.json").read_text(encoding="utf-8"))
    remedies = [filled(text) for text in texts if text[0].isupper() and text.endswith((".", "?"))]
    assert len(remedies) > 20
    for remedy in remedies:
        told = translate(with_remedy("tasks.yaml:7:5: unknown key 'x'", remedy), "zh")
        assert told == f"tasks.yaml:7:5: 未知的键 'x'。{translate(remedy, 'zh')}"


def test_a_list_of_names_that_was_cut_says_how_many_are_left_out():
    names = [f"table_{number}" for number in range(42)]
    hint = suggest("nope", names, allowed="The tables are")
    assert hint.endswith("table_29 and 12 more.")
    assert translate(f"There is no table 'nope'. {hint}", "zh").endswith("table_28、table_29，另有 12 个。")
    assert translate(suggest("nope", names[:30]), "zh").endswith("table_29。")


def test_a_long_value_that_was_cut_has_its_closing_quote():
    told = translate(f"tasks.yaml:3:2: timeout must be a whole number, found {shorten('9' * 400)}. Add it.", "zh")
    assert re.search(r"这里是 '9+…'。", told)
    assert shorten("x" * 58) == repr("x" * 58)
    assert len(shorten("x" * 59)) == 60
