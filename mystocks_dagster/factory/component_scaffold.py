"""Files of `dg scaffold defs mystocks_dagster.TaskFileComponent market`: a defs.yaml and a valid task file."""

import click
import dagster as dg

from mystocks_dagster.factory.loaded_file import plain_name

_DEFS = """\
type: {type}

attributes:
  tasks_file: tasks.yaml      # beside this file
  # lake: data/{name}         # without it, the project's: MYSTOCKS_LAKE, or `data`
  # source: simulated         # without it, MYSTOCKS_SOURCE, or the data_source of each task
"""
_TASKS = """\
# Tasks, their schedules and retries. `dg check yaml` shows every problem with its line.
# Task ids are unique among all task files of a code location.
version: "1.0"
description: {name}

tasks:
  - task_id: {name}_daily_bars
    task_name: Daily bars of {name}
    task_type: cron
    task_module: mystocks_dagster.tasks.data_sync
    task_function: sync_daily_stock_data
    schedule:
      schedule_type: cron
      cron_expression: "0 16 * * 1-5"   # Monday to Friday at 16:00 in Shanghai, after the close
      trading_days_only: true
      enabled: false                    # true starts it by itself
    params:
      data_source: akshare
    timeout: 3600
    retry_count: 3
    retry_delay: 300
"""


class TaskFileScaffolder(dg.Scaffolder):
    """Writes both files; an existing task file is kept."""

    def scaffold(self, request: dg.ScaffoldRequest) -> None:
        """Write a defs.yaml and a tasks.yaml in the same folder."""
        if request.scaffold_format != "yaml":
            raise click.ClickException("A TaskFileComponent is declared in a defs.yaml; leave out --format.")
        name = plain_name(request.target_path.name).lower()
        text = _DEFS.format(type=request.type_name, name=name)
        defs = request.target_path if request.append else request.target_path / "defs.yaml"
        with defs.open("a" if request.append else "w", encoding="utf-8") as file:
            file.write(f"---\n{text}" if request.append else text)
        tasks = defs.parent / "tasks.yaml"
        if not tasks.exists():
            tasks.write_text(_TASKS.format(name=name), encoding="utf-8")
