"""strategies: the list, one in full, the shift test, and the file of a new one."""

from typing import Annotated, Any

import typer

from mystocks_dagster.cli.check import Json
from mystocks_dagster.cli.printing import console, declared, escape, print_json, translate
from mystocks_dagster.cli.tables import print_table
from mystocks_dagster.settings import Settings

Name = Annotated[str, typer.Argument(help="Name of a strategy.")]

strategies = typer.Typer(
    no_args_is_help=True, help="Strategies: list them, read one, test that one sees no later day, begin a new one."
)


def register(app: typer.Typer) -> None:
    """Add the commands under `strategies`."""
    app.add_typer(strategies, name="strategies")


@strategies.command("list")
def list_strategies(json: Json = False) -> None:
    """List the strategies and the indicators in Python that tasks.yaml can name: shipped ones and the project's own.

    Example: mystocks strategies list
    """
    from mystocks_dagster.project.strategies import definitions, describe, signals_without_task
    from mystocks_dagster.strategies.own_indicators import indicator_problems
    from mystocks_dagster.strategies.registry import problems

    if json:
        print_json([describe(definition) for definition in definitions()])
        return
    rows = [
        (
            definition.name,
            "indicator" if definition.outputs else "strategy",
            declared(definition.summary),
            ", ".join(definition.fields),
            "no" if definition.lookback is None else f"{definition.lookback} bars",
            "" if definition.shipped else f"{definition.file.name}:{definition.line}",
        )
        for definition in definitions()
    ]
    print_table(
        ("name", "kind", "what it does", "parameters", "incremental", "file"), rows, said=("kind", "incremental")
    )
    for problem in [*problems(), *indicator_problems()]:
        console.print(translate(str(problem)), style="red", markup=False)
    for name, number in signals_without_task(Settings.from_env()).items():
        text = f"{number:,} signals of {name} are stored, which no task calculates: they stay as they are."
        console.print(translate(text), style="yellow", markup=False)


@strategies.command()
def show(name: Name, json: Json = False) -> None:
    """Show one strategy: what it does, its parameters with their bounds, and the columns that it reads.

    Example: mystocks strategies show ma_crossover
    """
    from mystocks_dagster.project.strategies import describe, find

    described = describe(find(name))
    if json:
        print_json(described)
        return
    console.print(declared(described["doc"]), markup=False)
    console.print(f"\nreads: {escape(', '.join(described['reads']))}")
    lookback = described["lookback"]
    text = f"a new day reads the last {lookback} bars" if lookback is not None else "every run reads the whole history"
    console.print(text)
    console.print(f"file: {escape(described['file'])}:{described['line']}")
    if described["params"]:
        print_table(
            ("parameter", "type", "default", "values", "meaning"),
            map(_row, described["params"].items()),
            said=("type",),
        )


@strategies.command()
def check(
    name: Name,
    param: Annotated[list[str] | None, typer.Option("--param", "-p", help="name=value of a parameter.")] = None,
    symbols: Annotated[int, typer.Option(min=1, max=6000, help="Number of symbols, spread over the market.")] = 200,
    years: Annotated[int, typer.Option(min=1, max=40, help="Years up to the newest stored day.")] = 3,
    json: Json = False,
) -> None:
    """Test on stored days that a strategy or an indicator in Python sees no later day, and no bar before its lookback.

    Its signals are computed with all days, and again with the days up to some day only: they must be the same up to
    that day. The exit code is 1 if they are not.

    Example: mystocks strategies check breakout --symbols 20
    """
    from mystocks_dagster.cli.run import read_param
    from mystocks_dagster.project.strategies import check as run_check

    params = dict(read_param(text) for text in param or ())
    result = run_check(Settings.from_env(), name, params, symbols=symbols, years=years)
    (label, test), *_ = result.metadata.items()  # the others are those of the indicators that it reads
    differences = [difference for tested in result.metadata.values() for difference in tested["differences"]]
    if json:
        print_json({"strategy": label, "passed": not differences, **test, "differences": differences})
    elif differences:
        console.print(f"[red]{translate('failed')}[/] {escape(translate(str(result.error)))}")
        for difference in differences:
            console.print(f"  {translate(difference)}", markup=False)
    else:
        console.print(f"[green]{translate('ok')}[/] {escape(translate(result.message))}")
    raise typer.Exit(1 if differences else 0)


@strategies.command()
def new(name: Annotated[str, typer.Argument(help="Name of the new strategy.")], json: Json = False) -> None:
    """Write strategies/NAME.py beside tasks.yaml: a strategy that works, to be changed.

    Example: mystocks strategies new my_breakout
    """
    from mystocks_dagster.project.strategies import create

    path = create(name)
    if json:
        print_json({"strategy": name, "file": str(path)})
        return
    console.print(f"Written: {escape(str(path))}")
    console.print(f"Test it:  [bold]mystocks strategies check {name}[/]")
    console.print(f"Run it: add {name} to the strategies of calc_strategy_signals in tasks.yaml.")


def _row(item: tuple[str, dict[str, Any]]) -> tuple[str, str, str, str, str]:
    from mystocks_dagster.strategies.docs import bounds

    name, schema = item
    return (
        name,
        str(schema.get("type", "")),
        str(schema["default"]) if "default" in schema else translate("required"),
        bounds(schema),
        declared(str(schema.get("description", ""))),
    )
