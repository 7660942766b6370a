"""Files of strategies: what they declare, and where their faults are."""

import pytest

from mystocks_dagster.strategies.reader import read_strategies

GOOD = '''
@strategy(reads=["close_hfq", "amount"], lookback="2 * days")
def rises(days: int = 20, factor: float = 1.5, kind: Literal["a", "b"] = "a") -> Rules:
    """Buy what rises.

    And more.
    """
    raise SystemExit("the file was run")

raise SystemExit("the file was run")
'''


def problem_of(write, body):
    path = write(body)
    (problem,) = read_strategies(path).problems
    lines = path.read_text().splitlines()
    return lines[problem.line - 1].strip(), problem.message


def test_a_file_is_read_without_running_it(write_strategies):
    path = write_strategies(GOOD)
    (rises,) = read_strategies(path).definitions
    assert (rises.name, rises.summary, rises.reads) == ("rises", "Buy what rises.", ("close_hfq", "amount"))
    assert rises.place == f"{path}:5"
    params = rises.model()
    assert (params.days, params.factor, params.kind) == (20, 1.5, "a")
    assert rises.bars_needed({"days": 30}) == 60
    assert not rises.of_the_market


def test_bounds_of_a_parameter_are_those_of_its_field(write_strategies):
    body = '''
@strategy(reads=["ma5"])
def low(n: Annotated[int, Field(ge=2, le=250, description="bars")] = 5, names: list[str] | None = None) -> Rules:
    """Buy."""
'''
    (low,) = read_strategies(write_strategies(body)).definitions
    assert low.model.model_json_schema()["properties"]["n"] == {
        "default": 5, "description": "bars", "maximum": 250, "minimum": 2, "title": "N", "type": "integer"
    }  # fmt: skip
    assert low.bars_needed({"n": 5}) is None


def test_a_strategy_of_the_market_takes_its_rows_first(write_strategies):
    body = '@strategy(reads=["ma5"])\ndef best(market: pl.DataFrame, top: int = 10):\n    """Buy the best."""\n'
    (best,) = read_strategies(write_strategies(body)).definitions
    assert best.of_the_market
    assert list(best.fields) == ["top"]


@pytest.mark.parametrize(
    ("body", "line", "message"),
    [
        ("def f(:\n", "def f(:", "the file is not valid Python"),
        ('@strategy(reads=["ma5"])\ndef f(): ...\n', "def f(): ...", "f: it has no docstring"),
        ('@strategy\ndef f():\n    """D."""\n', "@strategy", "f: @strategy needs reads=[...]"),
        ('@strategy(reads=[NAME])\ndef f():\n    """D."""\n', "@strategy(reads=[NAME])", "f: reads is not written out"),
        (
            '@strategy(reads=["ma5"], lookback="dayz")\ndef f(days: int = 1):\n    """D."""\n',
            '@strategy(reads=["ma5"], lookback="dayz")',
            "f: lookback uses 'dayz', which is no parameter",
        ),
        ('@strategy(reads=["ma5"])\ndef f(n=5):\n    """D."""\n', "def f(n=5):", "f: the parameter 'n' has no type"),
        (
            '@strategy(reads=["ma5"])\ndef f(n: Thing = 5):\n    """D."""\n',
            "def f(n: Thing = 5):",
            "f: the type of 'n' is not one of",
        ),
        (
            '@strategy(reads=["ma5"])\ndef f(n: int = len("abc")):\n    """D."""\n',
            'def f(n: int = len("abc")):',
            "f: the default of 'n' is not written out",
        ),
        (
            '@strategy(reads=["ma5"])\ndef f(label: str = ""):\n    """D."""\n',
            'def f(label: str = ""):',
            "f: a parameter cannot be named 'label'",
        ),
        ('@strategy(reads=["ma5"])\ndef f(**rest):\n    """D."""\n', "def f(**rest):", "f: it may not take *args"),
    ],
)
def test_a_fault_is_named_with_its_line(write_strategies, body, line, message):
    faulty, text = problem_of(write_strategies, body)
    assert faulty == line
    assert text.startswith(message)


def test_a_faulty_strategy_leaves_the_others_of_its_file(write_strategies):
    file = read_strategies(write_strategies(GOOD + '\n@strategy(reads=["ma5"])\ndef f(): ...\n'))
    assert ([item.name for item in file.definitions], len(file.problems)) == (["rises"], 1)


def test_another_text_or_another_value_is_another_version(write_strategies):
    (before,) = read_strategies(write_strategies(GOOD)).definitions
    (after,) = read_strategies(write_strategies(GOOD + "# more\n")).definitions
    versions = {before.version({"days": 1}), before.version({"days": 2}), after.version({"days": 1})}
    assert len(versions) == 3


@pytest.mark.parametrize("kind", ["strategy", "indicator"])
def test_a_strategy_that_was_saved_as_gbk_is_named_with_its_place_and_how_to_save_it(tmp_path, kind):
    path = tmp_path / "gbk.py"
    path.write_bytes("import math\n\nx = 1  # 买入\n".encode("gbk"))
    (problem,) = read_strategies(path, kind=kind).problems
    assert (problem.line, problem.column) == (3, 10)
    assert problem.message == "the file is not UTF-8: byte 0xc2"
    assert problem.hint == "Save it as UTF-8 (it may be GBK)."
    path.write_bytes("x = 1  # 买入\n".encode("utf-16"))
    (problem,) = read_strategies(path, kind=kind).problems
    assert problem.hint == "Save it as UTF-8 (it is UTF-16)."


def test_a_strategy_that_notepad_saved_with_a_mark_at_its_begin_is_read(tmp_path):
    path = tmp_path / "bom.py"
    path.write_bytes(GOOD.encode("utf-8-sig"))
    assert [item.name for item in read_strategies(path).definitions] == ["rises"]


def test_a_file_that_is_a_folder_is_told_in_a_sentence(tmp_path):
    (tmp_path / "x.py").mkdir()
    (problem,) = read_strategies(tmp_path / "x.py").problems
    assert problem.message == "the file cannot be read: it is a folder"
