"""The real webserver, daemon and run workers, as a person meets them: over GraphQL and in the files they leave."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.project import Folder, Server, make_folder, serve, wait_for

TASKS = """
    task_packages: [quick]
    tasks:
      - task_id: load
        task_name: 装载
        task_type: data_sync
        task_module: quick
        task_function: load
        params: {rows: 3}
      - task_id: report
        task_name: 报表
        task_type: manual
        task_module: quick
        task_function: report
        dependencies: [load]
      - task_id: fails
        task_type: data_sync
        task_module: quick
        task_function: fails
      - task_id: tick
        task_name: 每分钟
        task_type: cron
        task_module: quick
        task_function: report
        schedule: {schedule_type: cron, cron_expression: "* * * * *"}
      - task_id: slow
        task_type: manual
        task_module: quick
        task_function: slow
"""
QUICK = """
    import time

    def load(params):
        print("to stdout", params["rows"])
        return {"status": "success", "rows": params["rows"]}

    def report(params):
        return {"status": "success"}

    def fails(params):
        return {"status": "failed", "error": "no data today"}

    def slow(params):
        time.sleep(600)
"""
