"""The entries of `indicators:`: which columns they ask for, and the place of each mistake."""

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from mystocks_dagster.errors import InvalidParams
from mystocks_dagster.market.catalogue.calculation import of_catalogue
from mystocks_dagster.market.catalogue.registry import CATALOGUE
from mystocks_dagster.strategies.formula_files import read_formula
from mystocks_dagster.taskfile.reader import check_task_file, read_task_file
from mystocks_dagster.tasks.indicator_choices import IndicatorChoices, calculations
from mystocks_dagster.tasks.param_types import TaskParams

MYTREND = {"name": "MYTREND", "formula": "A:=EMA(C,12); B:EMA(A,5); UP:CROSS(A,B);"}


class Params(TaskParams):
    indicators: IndicatorChoices


@pytest.fixture
def formulas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MYSTOCKS_ROOT", str(tmp_path))
    folder = tmp_path / "formulas"
    folder.mkdir()
    return folder


def columns(*entries):
    chosen = Params.model_validate({"indicators": list(entries)}).indicators
    return [column for calculation in calculations(chosen) for column in calculation.columns.values()]


def fault(*entries):
    """Return the place and the text of the first fault."""
    with pytest.raises(ValidationError) as error:
        Params.model_validate({"indicators": list(entries)})
    detail = error.value.errors()[0]
    # pydantic adds the form of an entry to the place; no form is named as a key is.
    place = tuple(part for part in detail["loc"] if not str(part).startswith("="))
    return place, f"{detail['msg']} {detail.get('ctx', {}).get('hint', '')}"


def test_names_parameters_and_formulas_stand_side_by_side():
    assert columns("MA", {"name": "MA", "windows": [5, 10, 250]}, {"name": "CCI", "n": 20}, MYTREND) == [
        "ma5", "ma10", "ma20", "ma60", "ma250", "cci20", "mytrend_b", "mytrend_up",
    ]  # fmt: skip


@pytest.mark.parametrize("name", CATALOGUE)
def test_each_entry_of_the_catalogue_takes_its_defaults_by_name(name):
    entry = CATALOGUE[name]
    given = {"windows": list(entry.windows)} if entry.windows else {k: int(v) for k, v in entry.defaults.items()}
    expected = [column for item in of_catalogue(name) for column in item.columns.values()]
    assert columns(name) == columns({"name": name, **given}) == expected


@pytest.mark.parametrize(
    ("entry", "column", "name"),
    [
        ({"name": "MA5", "formula": "O;"}, "ma5", "MA"),
        ({"name": "Ma7", "formula": "O;"}, "ma7", "MA"),
        ({"name": "macd_5_10_3", "formula": "DIF:O;"}, "macd_5_10_3_dif", "MACD"),
        ({"name": "BOLL_20_2P5", "formula": "UPPER:H;"}, "boll_20_2p5_upper", "BOLL"),
        ({"name": "RSI6", "formula": "C;"}, "rsi6", "RSI"),
    ],
)
def test_my_formula_does_not_take_over_a_column_of_the_catalogue(entry, column, name):
    place, text = fault("KDJ", entry)
    assert place == ("indicators", 1, "name")
    assert f"{entry['name']} would write {column}, a column of the catalogue's {name}" in text


@pytest.mark.parametrize("name", CATALOGUE)
def test_no_column_of_the_catalogue_is_free_for_my_formula(name):
    entry = CATALOGUE[name]
    chosen = [{"n": window} for window in entry.windows] or [entry.defaults]
    for values in (*chosen, {key: value + 3 for key, value in chosen[0].items()}):
        for column in entry.columns(values).values():
            assert [found.name for found in CATALOGUE.values() if found.makes(column)] == [name], column


def test_a_formula_whose_column_only_resembles_the_catalogue_is_accepted():
    assert columns({"name": "MA5X", "formula": "O;"}, {"name": "MA", "windows": [5]}) == ["ma5x", "ma5"]


@pytest.mark.parametrize(
    ("entry", "place", "words"),
    [
        ("MAA", (), "Did you mean 'MA'"),
        ({"name": "MAA", "windows": [5]}, ("name",), "Did you mean 'MA'"),
        ({"nme": "MA"}, (), "needs a name"),
        (5, (), "a name, or a mapping"),
        ({"name": "MA", "windows": [0]}, ("windows", 0), "greater than or equal to 1"),
        ({"name": "MA", "windows": [5, -10]}, ("windows", 1), "greater than or equal to 1"),
        ({"name": "MA", "windows": [5.5]}, ("windows", 0), "integer"),
        ({"name": "MA", "windows": []}, ("windows",), "is empty"),
        ({"name": "MA", "windows": [5, 5]}, ("windows",), "5 is listed twice"),
        ({"name": "MA", "windows": list(range(1, 60))}, ("windows",), "at most 50"),
        ({"name": "CCI", "n": 100_000}, ("n",), "2500"),
        ({"name": "CCI", "m": 3}, ("m",), "CCI has no parameter 'm' Allowed: n."),
        ({"name": "MACD", "formula": "C"}, ("name",), "of the catalogue"),
        ({"name": "1X", "formula": "C"}, ("name",), "name cannot be"),
        ({"formula": "C"}, ("name",), "required"),
        ({"name": "X", "formula": "C", "file": "formulas/x.txt"}, (), "either formula or file"),
        (
            {"name": "X", "formula": "MA(C,5)", "m": 9},
            ("formula",),
            "parameter M is given, and the formula does not use it",
        ),
        ({"name": "X", "formula": "MA(C,N)", "n": "five"}, ("n",), "number"),
        ({"name": "CLOSE", "formula": "HFQ:C"}, (), "close_hfq"),
        (
            {"name": "X", "formula": "A:=EMMA(C,12);\nB:EMA(A,5);"},
            ("formula",),
            "formula of X, line 1, column 4: there is no function EMMA Did you mean 'EMA'?",
        ),
    ],
)
def test_a_mistake_has_its_place_and_its_remedy(entry, place, words):
    found, text = fault("MA", entry)
    assert found == ("indicators", 1, *place)
    assert words in text


def test_two_entries_that_would_write_one_column_are_refused_and_equal_ones_are_one():
    place, text = fault(MYTREND, "RSI", {"name": "mytrend", "formula": "B:MA(C,5);"})
    assert (place, "mytrend_b" in text) == (("indicators", 2), True)
    assert columns("RSI", "RSI", {"name": "RSI", "windows": [12]}) == ["rsi6", "rsi12", "rsi24"]


def test_a_formula_in_a_file_is_read_in_both_encodings_and_its_mistakes_have_their_place_there(formulas):
    (formulas / "mine.txt").write_text("快线:EMA(C,N);", encoding="utf-8-sig")
    (formulas / "old.txt").write_bytes("{趋势}\n慢线:EMA(C,60);".encode("gb18030"))
    (formulas / "bad.txt").write_text("A:MA(C,5);\nB:=A+;", encoding="utf-8")
    assert columns({"name": "X", "file": "formulas/mine.txt", "n": 5}) == ["x_快线"]
    assert columns({"name": "X", "file": "formulas/old.txt"}) == ["x_慢线"]
    place, text = fault({"name": "X", "file": "formulas/bad.txt"})
    assert (place, "formulas/bad.txt:2:6" in text) == (("indicators", 0, "file"), True)


@pytest.mark.parametrize("named", ["/etc/hosts", "../tasks.yaml", "formulas/../x.txt", "formulas", "formulas/x.yaml"])
def test_a_file_outside_the_folder_is_refused_unread(formulas, named):
    with pytest.raises(InvalidParams, match=r"not a \.txt file in formulas/"):
        read_formula(named)


def test_a_link_out_of_the_folder_a_missing_a_large_and_a_binary_file_are_refused(formulas, tmp_path):
    (tmp_path / "secret.txt").write_text("C;", encoding="utf-8")
    (formulas / "link.txt").symlink_to(tmp_path / "secret.txt")
    (formulas / "large.txt").write_bytes(b"C" * 300_000)
    (formulas / "binary.txt").write_bytes(b"\xff\xff\xff")
    for name, words in (("link", "move it there"), ("lange", "large"), ("large", "200,000 bytes"), ("binary", "UTF-8")):
        with pytest.raises(InvalidParams, match=words):
            read_formula(f"formulas/{name}.txt")


TASK = """\
tasks:
  - task_id: calc
    task_type: manual
    task_module: mystocks_dagster.tasks.indicators
    task_function: calculate_technical_indicators
    params:
      indicators:
        - MA
        - {name: CCI, n: 0}
        - name: MYTREND
          formula: "A:=EMMA(C,12); B:EMA(A,5);"
        - {name: X, file: formulas/x.txt}
"""


def test_the_check_of_a_task_file_names_the_line_of_each_mistake(formulas, tmp_path):
    file = tmp_path / "tasks.yaml"
    file.write_text(TASK, encoding="utf-8")
    (formulas / "x.txt").write_text("X:C+;", encoding="utf-8")
    cci, formula, own = check_task_file(file)
    assert (cci.line, "n must be at least 2" in cci.message) == (9, True)
    assert (formula.line, formula.hint) == (11, "Did you mean 'EMA'?")
    # The caret stands under the function: after `          formula: "A:=`.
    assert (formula.column, formula.width) == (24, 4)
    assert (own.line, "formulas/x.txt:1:5" in own.message) == (12, True)


@pytest.mark.parametrize("name", ["a b", "1a", "a-b", "", "x" * 41, "a\n"])
def test_i_called_my_formula_what_cannot_begin_a_column_and_am_told_what_can(name):
    place, text = fault({"name": name, "formula": "C;"})
    assert place == ("indicators", 0, "name")
    assert "name cannot be " in text
    assert "Write one word: a letter, also a Chinese one, then letters, digits or _, 40 at most." in text
    assert "pattern" not in text


def test_a_pipe_or_a_folder_is_not_proposed_as_the_formula_that_i_meant(formulas, tmp_path):
    os.mkfifo(formulas / "fifo.txt")
    (formulas / "dir.txt").mkdir()
    (tmp_path / "secret.txt").write_text("x")
    (formulas / "link.txt").symlink_to(tmp_path / "secret.txt")
    (formulas / "away.txt").symlink_to(formulas / "gone.txt")
    for name, kind in (("fifo", "it is a pipe"), ("dir", "it is a folder")):
        with pytest.raises(InvalidParams) as raised:
            read_formula(f"formulas/{name}.txt")
        assert f"{raised.value}" == (
            f"formulas/{name}.txt cannot be read: {kind}. Check that it is a file, and its permissions."
        )
    with pytest.raises(InvalidParams, match=r"No such file or directory\. formulas/ has no \.txt files\."):
        read_formula("formulas/link2.txt")
    (formulas / "links.txt").write_text("C;")
    with pytest.raises(InvalidParams, match=r"Did you mean 'formulas/links\.txt'\?"):
        read_formula("formulas/lin.txt")


TYPED = "INPUT: N(5,1,100), M(2.5,0,10); A:MA(C,N)*M;"


@pytest.mark.parametrize(
    ("entry", "key", "words"),
    [
        ({"n": True}, "n", "valid number"),
        ({"n": "6"}, "n", "valid number"),
        ({"n": 6, "N": 7}, "N", "N and n are one parameter Keep one of the two."),
    ],
)
def test_a_parameter_of_my_formula_in_quotes_or_given_twice_is_refused(formulas, entry, key, words):
    (formulas / "p.txt").write_text(TYPED, encoding="utf-8")
    place, text = fault({"name": "P", "file": "formulas/p.txt", **entry})
    assert place == ("indicators", 0, key)
    assert words in text


def test_parameters_of_my_formula_may_be_whole_or_not(formulas):
    (formulas / "p.txt").write_text(TYPED, encoding="utf-8")
    [chosen] = Params.model_validate(
        {"indicators": [{"name": "P", "file": "formulas/p.txt", "n": 6, "m": 0.5}]}
    ).indicators
    assert chosen.values == {"n": 6, "m": 0.5}


def test_the_width_of_boll_in_quotes_is_refused():
    assert fault({"name": "BOLL", "p": "2"})[0] == ("indicators", 0, "p")
    assert columns({"name": "BOLL", "p": 3}) == ["boll_20_3_mid", "boll_20_3_upper", "boll_20_3_lower"]


def test_numbers_from_the_environment_are_read_where_numbers_are_expected(tmp_path):
    file = tmp_path / "tasks.yaml"
    file.write_text(
        "tasks:\n"
        "  - task_id: a\n    task_type: manual\n    task_module: mystocks_dagster.tasks.indicators\n"
        "    task_function: calculate_technical_indicators\n"
        "    params:\n      indicators:\n"
        "        - {name: MA, windows: ['${N}']}\n        - {name: BOLL, p: '${P:-2.5}'}\n"
        "        - {name: X, formula: 'A:MA(C,N);', n: '${N}'}\n",
        encoding="utf-8",
    )
    read = read_task_file(file, environment={"N": "7"}).tasks[0].params["indicators"]
    assert [read[0]["windows"], read[1]["p"], read[2]["n"]] == [[7], 2.5, 7]
    [problem, *_] = check_task_file(file, environment={"N": "many"})
    assert "many" not in problem.message
    assert problem.line == 8
