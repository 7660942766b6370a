"""The strategies and indicators in Python of a project: the list, the shift test, and the file of a new one."""

import keyword
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mystocks_dagster.errors import InvalidParams, MyStocksError, TaskFailed
from mystocks_dagster.settings import Settings, strategy_folder
from mystocks_dagster.strategies import registry
from mystocks_dagster.strategies.choices import params_of
from mystocks_dagster.strategies.definition import Definition
from mystocks_dagster.strategies.own_indicators import own_indicators
from mystocks_dagster.tasks.run import TaskResult

_NAME = re.compile(r"[a-z][a-z0-9_]{1,40}")
#: Seconds after which a shift test is stopped.
_TIMEOUT = 900.0

_NEW = '''\
"""Strategies of this project. Their names are valid in tasks.yaml; `mystocks strategies check {name}` tests them."""

from typing import Annotated

import polars as pl
from pydantic import Field

from mystocks_dagster.strategies import Rules, crosses_above, strategy


@strategy(reads=["close_hfq", "amount"], lookback="2 * days")
def {name}(
    days: Annotated[int, Field(ge=2, le=250, description="bars of the average")] = 20,
    times: Annotated[float, Field(gt=0, description="amount of the day in averages")] = 1.5,
) -> Rules:
    """Buy when the close crosses its average with a large amount, sell when it falls below.

    The expressions see the rows of one symbol in order, without suspended days, up to the day of the signal.
    """
    close, amount = pl.col("close_hfq"), pl.col("amount")
    mean = close.rolling_mean(days)
    large = amount / amount.shift(1).rolling_mean(days)
    return Rules(
        buy=crosses_above(close, mean) & (large > times),
        sell=crosses_above(mean, close),
        values={{"close_hfq": "close_hfq", "mean": mean, "amount_ratio": large}},
        score=large,
    )
'''


def describe(definition: Definition) -> dict[str, Any]:
    """Return a strategy for JSON: its parameters with types, bounds and defaults as JSON schema."""
    return {
        "name": definition.name,
        "kind": "indicator" if definition.outputs else "strategy",
        "outputs": list(definition.outputs),
        "summary": definition.summary,
        "doc": definition.doc,
        "shipped": definition.shipped,
        "file": str(definition.file),
        "line": definition.line,
        "reads": list(definition.reads),
        "lookback": definition.lookback,
        "incremental": definition.lookback is not None,
        "of_the_market": definition.of_the_market,
        "params": definition.model.model_json_schema().get("properties", {}),
    }


def definitions() -> list[Definition]:
    """Return the strategies, then the project's indicators in Python."""
    return [*registry.strategies().values(), *own_indicators().values()]


def signals_without_task(settings: Settings) -> dict[str, int]:
    """Return the strategies with stored signals that no task calculates, with their number.

    None are named where the task file has a fault, the lake cannot be read, or a function of the project writes them.
    """
    from mystocks_dagster.lake.store import Lake
    from mystocks_dagster.taskfile.reader import load_task_file
    from mystocks_dagster.tasks.signal_counts import of_all
    from mystocks_dagster.tasks.strategy import SignalParams, calculate_strategy_signals

    try:
        version = load_task_file(settings.task_file)
        writing = [task for task in version.taskfile.tasks if "signals" in version.writes.get(task.task_id, ())]
        if version.broken or any(version.functions[task.task_id] is not calculate_strategy_signals for task in writing):
            return {}
        choices = [choice for task in writing for choice in SignalParams.model_validate(task.params).choices]
        stored = of_all(Lake(settings.lake))
    except MyStocksError:
        return {}
    labels = {choice.label for choice in choices}
    return {label: number for label, number in sorted(stored.items()) if label not in labels}


def find(name: str) -> Definition:
    """Return a strategy, or an indicator in Python.

    Raises:
        UnknownName: There is none of that name.
    """
    return own_indicators().get(name) or registry.find(name)


def check(
    settings: Settings,
    name: str,
    params: Mapping[str, Any],
    *,
    symbols: int,
    years: int,
    on_log: Callable[[str], None] = lambda _: None,
) -> TaskResult:
    """Run the shift test of a strategy, or of an indicator in Python, in a guarded process, as a task runs its code.

    Raises:
        UnknownName: There is no such strategy.
        InvalidParams: Its parameters are not valid.
        TaskFailed: Its code failed, or there are no indicators.
    """
    from mystocks_dagster.execution.attempt import run_attempt
    from mystocks_dagster.execution.attempt_spec import AttemptSpec

    own = own_indicators()
    params_of(find(name), params)
    entry = {"name": name, **params}
    spec = AttemptSpec(
        task_id="check_strategy",
        module="mystocks_dagster.tasks.strategy_check",
        function="check_strategy",
        params={"indicators" if name in own else "strategies": [entry], "symbols": symbols, "years": years},
        timeout=_TIMEOUT,
        task_packages_path=(str(settings.task_file.parent),),
    )
    outcome = run_attempt(spec, on_log=lambda line: on_log(line.message), on_progress=lambda *_: None)
    if outcome.result is None:
        error = outcome.error
        raise TaskFailed(error.message if error else f"The test of {name} ended without a result.")
    return outcome.result


def create(name: str) -> Path:
    """Write the file of a new strategy, an example to change, and return its path.

    Raises:
        InvalidParams: The name cannot be that of a function, or there is a strategy or a file of that name.
    """
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise InvalidParams(f"{name!r} cannot be a strategy's name: small letters, digits and _, a letter first.")
    path = strategy_folder() / f"{name}.py"
    if name in registry.strategies() or path.exists():
        raise InvalidParams(f"There is a strategy or a file {name} already; choose another name.")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8") as file:
        file.write(_NEW.format(name=name))
    return path
