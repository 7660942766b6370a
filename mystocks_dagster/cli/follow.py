"""A run followed in the terminal: a line per event, and live progress bars."""

import re
from typing import TYPE_CHECKING, Any, Self

from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from mystocks_dagster.cli.printing import Output, translate

if TYPE_CHECKING:
    from mystocks_dagster.project.follow import FinishedRun, RunEvent

#: A task's progress in its log: `3/10 message`.
_PROGRESS = re.compile(r"(\d+)/(\d+) ?(.*)")
#: Characters of the bars; characters that the numbers, the time and the spaces of a line need beside them.
_BAR, _NUMBERS = 20, 29
#: Characters of a bar's text, whatever the terminal.
_NARROWEST, _WIDEST = 20, 60
_COLOURS = {"ERROR": "red", "CRITICAL": "red", "WARNING": "yellow"}


def run_and_follow(project: Any, run_id: str, *, quiet: bool = False) -> "FinishedRun":
    """Start a run, print its events unless `quiet`, and wait for its end."""
    from mystocks_dagster.project import follow

    console = Output(highlight=False, soft_wrap=True, emoji=False, quiet=quiet)
    with _RunDisplay(console, run_id, follow.count_steps(project, run_id)) as display:
        return follow.run_and_follow(project, run_id, display.show)


class _Rate(ProgressColumn):
    """How many items a step does in a second, or in a minute where that is less than one; empty until it is known."""

    def render(self, task: Task) -> Text:
        """Return the rate over the last seconds, or over the whole step once it has ended."""
        return Text(rate(task.finished_speed or task.speed), "dim")


def rate(per_second: float | None) -> str:
    """Return a rate for people.

    Examples:
        >>> rate(None), rate(123.4), rate(2.54), rate(0.1)
        ('', '123/s', '2.5/s', '6.0/min')
    """
    if not per_second:
        return ""
    number, unit = (per_second, "s") if per_second >= 1 else (per_second * 60, "min")
    return f"{number:.{0 if number >= 10 else 1}f}/{unit}"


def _translated(text: str) -> str:
    """Return a line of a run in the language of the terminal; progress is `3/10` before a text of its own."""
    progress = _PROGRESS.match(text)
    return f"{progress[1]}/{progress[2]} {translate(progress[3])}".rstrip() if progress else translate(text)


class _RunDisplay:
    """Lines for the events of a run; in a terminal also live bars: the steps that ended, each step's progress."""

    def __init__(self, console: Output, run_id: str, steps: int) -> None:
        self._console, self._run_id = console, run_id
        numbers = (MofNCompleteColumn(), _Rate(), TimeElapsedColumn())
        columns = (TextColumn("{task.description}"), BarColumn(_BAR), *numbers)
        self._progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._all = self._progress.add_task(translate("steps"), total=steps)
        self._only_step = steps == 1
        self._room = min(_WIDEST, max(_NARROWEST, console.width - _BAR - _NUMBERS))
        self._bars: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, event: "RunEvent") -> None:
        """Show a step's progress as its bar, and every other event as a line."""
        is_log = event.kind == "log"
        progress = _PROGRESS.match(event.text) if is_log and self._console.is_terminal else None
        if progress:
            self._move(event.step, int(progress[1]), int(progress[2]), progress[3])
        elif line := self._line(event):
            self._console.print(line)
        if event.kind in ("step succeeded", "step failed", "step skipped", "step not started"):
            self._progress.advance(self._all)
            if (bar := self._bars.pop(event.step, None)) is not None:
                self._progress.remove_task(bar)

    def _move(self, step: str, done: int, total: int, message: str) -> None:
        if step not in self._bars:
            self._bars[step] = self._progress.add_task(step, total=total)
        message = translate(message)
        text = message if message and self._only_step else f"{step} {message}".rstrip()
        self._progress.update(self._bars[step], completed=done, total=total, description=escape(text[: self._room]))

    def _line(self, event: "RunEvent") -> str | None:
        text = escape(_translated(event.text))
        colour = _COLOURS.get(event.level, "")
        return {
            "queued": f"[dim]run {self._run_id}: in the daemon's queue[/]",
            "abandoned": "[yellow]the daemon has stopped, so the run waits in the queue. "
            "Start it in another terminal: mystocks ui   Ctrl-C takes the run off the queue[/]",
            "database": f"[yellow]{text}[/]",
            "foreground": f"[dim]run {self._run_id}: runs in the foreground, because {text}[/]",
            "elsewhere": f"[dim]run {self._run_id}: other machines execute it; it {text}[/]",
            "log": f"  {event.step}: [{colour}]{text}[/]" if colour else f"  {event.step}: {text}",
            "step started": f"[bold]▶ {event.step}[/]",
            "step succeeded": f"[green]✓ {event.step}[/]",
            "step failed": f"[red]✗ {event.step}[/]",
            "step not started": f"[yellow]– {event.step} is not started: it needs {text}[/]",
            "step retried": f"[yellow]↻ {event.step}: will be tried again[/]",
            "run failed": f"[red]{text}[/]",
            "stopping": "[yellow]stopping the run …[/]",
        }.get(event.kind)
