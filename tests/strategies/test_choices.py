"""Strategies as tasks.yaml chooses them: names, parameters and labels, with the line of each fault."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from mystocks_dagster.strategies.choices import choice_of, label_fault
from mystocks_dagster.taskfile.reader import load_text
from mystocks_dagster.tasks.backtest import BacktestParams
from mystocks_dagster.tasks.strategy import SignalParams

HEAD = """\
tasks:
  - task_id: my_signals
    task_type: manual
    task_module: mystocks_dagster.tasks.strategy
    task_function: calculate_strategy_signals
    params:
      strategies:
"""
OWN = '''
@strategy(reads=["ma5"])
def rises(days: Annotated[int, Field(ge=2)] = 5) -> Rules:
    """Buy what rises."""
'''


@pytest.fixture
def faults(write_strategies):
    """Return the problems of a task with these lines below `strategies:`, as line (from the first of them) and text."""
    write_strategies(OWN)

    def check(*lines: str) -> list[tuple[int, str]]:
        text = HEAD + "".join(f"        - {line}\n" for line in lines)
        version = load_text(text, Path("tasks.yaml"))
        return [(problem.line - 7, f"{problem.message}. {problem.hint}") for problem in version.problems]

    return check


def test_a_name_alone_has_the_defaults():
    choice = choice_of("kdj_overbought")
    assert (choice.label, choice.params) == ("kdj_overbought", {"oversold": 20.0, "overbought": 80.0})


def test_names_parameters_and_labels_are_accepted(faults):
    lines = ["ma_crossover", "rises", "{name: rises, days: 9, label: rises_9}", "{name: kdj_overbought, oversold: 15}"]
    assert faults(*lines) == []


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("ma_crosover", "there is no strategy 'ma_crosover'. Did you mean 'ma_crossover'?"),
        ("{name: rise, days: 3}", "there is no strategy 'rise'. Did you mean 'rises'?"),
        ("{name: rises, day: 3}", "the strategy rises has no parameter 'day'. Did you mean 'days'?"),
        ("{name: ma_crossover, day: 3}", "the strategy ma_crossover has no parameter 'day'. It has no parameters."),
        ("{name: rises, days: 1}", "days must be at least 2, found 1. "),
        ("{name: rises, days: ten}", "days must be a whole number, found 'ten'. "),
        ("{name: rises, days: '55'}", "days must be a whole number, found '55'. Write it without quotes."),
        ("{name: rises, days: 30.0}", "days must be a whole number, found 30.0. "),
        ("{name: rises, days: true}", "days must be a whole number, found true. "),
        (
            "{name: formula, file: formulas/gb.txt, sell: C<O}",
            "the strategy formula has no parameter 'file'. A formula may be a file: write buy: formulas/mine.txt.",
        ),
        ("{days: 3}", "a strategy has no name. Write {name: NAME, PARAMETER: VALUE}."),
        ("7", "a strategy cannot be 7. Write its name, or {name: NAME, PARAMETER: VALUE}."),
        ("{name: rises, label: Mine}", "the label 'Mine' is not valid. It begins with the strategy's name and goes on"),
    ],
)
def test_a_fault_is_found_at_load_with_its_line(faults, line, text):
    ((number, message),) = faults("ma_crossover", line)
    assert number == 2
    assert message.startswith(text)


def test_two_parameter_sets_of_one_strategy_need_two_labels(faults):
    ((number, message),) = faults("rises", "{name: rises, days: 9}")
    assert (number, message) == (
        2,
        "two strategies have the label 'rises'. Give this one a label of its own, such as label: rises_2.",
    )


def test_a_backtest_names_a_strategy_or_a_label(write_strategies):
    write_strategies(OWN)
    assert BacktestParams(strategy_id="rises_9").strategy_id == "rises_9"
    assert label_fault("rises") == ""
    with pytest.raises(ValidationError, match=r"no strategy 'riser'. Did you mean 'rises'\?"):
        BacktestParams(strategy_id="riser")


def test_the_same_entry_twice_runs_once():
    assert [choice.label for choice in SignalParams(strategies=["ma_crossover"] * 2).choices] == ["ma_crossover"]
