"""init: a new project in a folder of its own."""

from pathlib import Path
from typing import Annotated

import typer

from mystocks_dagster.cli.printing import console, escape
from mystocks_dagster.settings import Language, terminal_language

_NEXT = {
    "en": (
        ("mystocks demo", "try everything on a simulated market, within a minute"),
        ("mystocks bootstrap", "load ten years of the real market"),
        ("mystocks ui", "pages in the browser, and the daemon that starts what is scheduled"),
        ("mystocks --demo run market_breadth", "the first task of your own (my_tasks.py), on the demo's lake"),
    ),
    "zh": (
        ("mystocks demo", "先在模拟行情上试一遍，不到一分钟"),
        ("mystocks bootstrap", "装载十年的真实行情"),
        ("mystocks ui", "打开网页，并按计划自动运行"),
        ("mystocks --demo run market_breadth", "运行第一个自己的任务（my_tasks.py），用 demo 的数据"),
    ),
}
_MADE = {"en": "A new project with {count} files is in", "zh": "新项目已建好，共 {count} 个文件："}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(init)


def init(
    folder: Annotated[Path, typer.Argument(help="The folder of the project; it is made if it does not exist.")],
    lang: Annotated[
        Language | None, typer.Option("--lang", help="Language of the comments; by default the terminal's.")
    ] = None,
    postgres: Annotated[
        bool, typer.Option("--postgres", help="Keep the history in the Postgres database of MYSTOCKS_POSTGRES_URL.")
    ] = False,
) -> None:
    """Make a new project: tasks.yaml, Dagster's settings, and a first task and dataset of your own.

    Example: mystocks init my-market
    """
    from mystocks_dagster.project.new_project import create

    language = lang or terminal_language()
    folder = folder.absolute()
    paths = create(folder, language, postgres=postgres)
    console.print(f"[green]✓[/] {_MADE[language].format(count=len(paths))} [bold]{escape(str(folder))}[/]")
    for path in paths:
        console.print(f"    {escape(str(path.relative_to(folder)))}")
    commands = [(f"cd {_quoted(folder)}", ""), *_NEXT[language]][folder == Path.cwd() :]
    width = max(len(command) for command, _ in commands[1:])
    console.print()
    for command, about in commands:
        console.print(f"  [bold]{escape(command.ljust(width) if about else command)}[/]  {about}".rstrip())


def _quoted(folder: Path) -> str:
    """Return the folder as it is typed in the shell: relative where it is below the current one."""
    import shlex

    here = Path.cwd()
    return shlex.quote(str(folder.relative_to(here) if folder.is_relative_to(here) else folder))
