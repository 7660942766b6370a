"""The message that docs/alerts.md shows is the one that arrives."""

import re

from alerts.conftest import Project
from support.blocks import block
from support.receivers import Webhook

TASKS = """
    task_packages: [work]
    alerts: {{link: "http://127.0.0.1:3000", group_seconds: 0, urls: ["{url}"]}}
    tasks:
      - task_id: daily_data_sync
        task_name: 每日股票数据同步
        owner: 数据组
        task_type: manual
        task_module: work
        task_function: ask
        retry_count: 3
        retry_delay: 0
"""
WORK = """
    def ask(params):
        return {"status": "failed", "error": "push2.eastmoney.com did not answer"}
"""


def test_a_failed_task_sends_the_message_of_the_page(project: Project, hook: Webhook) -> None:
    project.folder.write("work.py", WORK)
    project.folder.write("tasks.yaml", TASKS.format(url=hook.url))
    project.load()
    project.look()
    run_id = project.run("daily_data_sync")
    project.look()
    shown = block("alerts.md", "text").text.strip()
    (message,) = hook.messages
    told = f"{message['title']}\n{message['message']}"
    told = re.sub(r"(?<=时间：)20\d\d-\d\d-\d\d \d\d:\d\d:\d\d(?=（北京时间）)", "2026-11-24 16:03:12", told)
    assert told.replace(run_id, "8e0c…").strip() == shown
