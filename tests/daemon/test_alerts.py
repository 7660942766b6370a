"""Alerts under the real daemon, to a real webhook: once each, also over a restart."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from support.project import Folder, Server, make_folder, serve, wait_for
from support.receivers import Webhook, webhook

from mystocks_dagster.processes import lock

pytestmark = pytest.mark.timeout(600)
KEY = "693a91f6-7abc-4bc4-97a0-0ec2sifa5aaa"
TASKS = """
    task_packages: [work]
    defaults: {{task_type: manual, task_module: work}}
    alerts:
      group_seconds: 0
      urls: ["{url}", "json://127.0.0.1:1/${{HOOK_KEY}}"]
    tasks:
      - {{task_id: sync, task_name: 每日行情, task_function: sync, retry_count: 1, retry_delay: 0}}
"""
BROKEN = "      - {{task_id: lost, task_function: no_such_function}}\n"
WORK = """
    from pathlib import Path

    def sync(params):
        return {"status": "success"} if Path(__file__).with_name("good").exists() else {"status": "failed",
            "error": "连接被关闭"}
"""


class Watched:
    """The project, its receiver, and the servers over it."""

    def __init__(self, folder: Folder, hook: Webhook) -> None:
        self.folder, self.hook, self.stack = folder, hook, ExitStack()

    def up(self) -> None:
        self.server: Server = self.stack.enter_context(serve(self.folder))

    def write(self, broken: str = "") -> None:
        self.folder.write("tasks.yaml", (TASKS + broken).format(url=self.hook.url))

    def reload(self) -> None:
        self.server.graphql('mutation { reloadRepositoryLocation(repositoryLocationName: "mystocks") { __typename } }')

    def told(self, title: str) -> str:
        """Wait for a message and return its text."""
        index = wait_for(
            lambda: [place for place, one in enumerate(self.hook.titles) if one == title],
            100,
            f"{title} in {self.hook.titles}",
        )
        return self.hook.messages[index[-1]]["message"]

    def check(self, asset: str) -> dict[str, Any] | None:
        """Return the latest verdict of the asset's check."""
        found = self.server.graphql(
            """query($asset: String!) { assetNodes(assetKeys: [{path: [$asset]}]) { groupName assetChecksOrError {
                ... on AssetChecks {
                 checks { name executionForLatestMaterialization { status evaluation { severity description } } } } }
                     } }""",
            asset=asset,
        )["assetNodes"]
        return found[0]["assetChecksOrError"]["checks"][0]["executionForLatestMaterialization"] if found else None

    def verdict(self, asset: str, status: str, text: str = "") -> str:
        """Wait until the asset's check is so and says so, and return its description."""

        def reached() -> str | None:
            one = self.check(asset)
            told = one["evaluation"]["description"] if one and one["status"] == status else None
            return told if told and text in told else None

        return wait_for(reached, 100, f"{asset} {status} {text}")

    def looked(self, since: float) -> None:
        """Wait until the sensor has looked twice since then."""
        selector = (
            '{repositoryLocationName: "mystocks", repositoryName: "__repository__", sensorName: "alerts__sensor"}'
        )
        query = f"{{ sensorOrError(sensorSelector: {selector}) {{ ... on Sensor {{ sensorState {{ ticks(limit: 2) "
        query += "{ timestamp status } } } } }"

        def twice() -> bool:
            ticks = self.server.graphql(query)["sensorOrError"]["sensorState"]["ticks"]
            return len([one for one in ticks if one["timestamp"] > since and one["status"] == "SKIPPED"]) == 2

        wait_for(twice, 60, "two looks")


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    folder = make_folder(tmp_path_factory.mktemp("alerts") / "project")
    folder.env["HOOK_KEY"] = KEY
    folder.write("work.py", WORK)
    with webhook() as hook:
        watched = Watched(folder, hook)
        watched.write()
        watched.up()
        watched.looked(0)
        yield watched
        watched.stack.close()


def test_a_failing_task_gives_one_message_after_its_last_attempt(watched: Watched) -> None:
    run_id = watched.server.launch("sync")
    assert watched.server.wait(run_id) == "FAILURE"
    told = watched.told("❌ 任务失败：每日行情")
    assert "原因：sync: 连接被关闭" in told
    assert "尝试：2 次" in told
    assert f"详情：{watched.server.dagster}/runs/{run_id}" in told
    assert "重新运行：mystocks run sync" in told


def test_a_channel_that_fails_is_red_names_no_secret_and_stops_no_other(watched: Watched) -> None:
    told = watched.verdict("alert_channels", "FAILED")
    assert "json://127.0.0.1:1/${HOOK_KEY}: " in told
    assert KEY not in told
    assert KEY not in (watched.folder.root / "ui.log").read_text(encoding="utf-8")


def test_a_restart_tells_nothing_again_and_recovery_is_told(watched: Watched) -> None:
    watched.stack.close()
    start = time.time()
    watched.up()
    watched.looked(start)
    assert watched.hook.titles == ["❌ 任务失败：每日行情"]
    Path(watched.folder.root / "good").touch()
    assert watched.server.wait(watched.server.launch("sync")) == "SUCCESS"
    watched.told("✅ 任务恢复：每日行情")
    assert watched.hook.titles == ["❌ 任务失败：每日行情", "✅ 任务恢复：每日行情"]


def test_a_broken_task_turns_the_file_red_is_told_once_and_the_loaded_version_is_shown(watched: Watched) -> None:
    watched.verdict("task_file", "SUCCEEDED")
    watched.write(BROKEN)
    watched.reload()
    told = watched.told("❌ 任务文件有错误")
    assert "未加载：lost" in told
    assert "tasks.yaml:" in told
    assert "lost" in watched.verdict("task_file", "FAILED", "no_such_function")
    version = watched.folder.json("reload")["version"]

    def loaded() -> bool:
        query = """{ assetOrError(assetKey: {path: ["task_file"]}) { ... on Asset { assetMaterializations(limit: 1) {
            metadataEntries {
                     label ... on TextMetadataEntry { text } ... on TimestampMetadataEntry { timestamp } } } } } }"""
        events = watched.server.graphql(query)["assetOrError"]["assetMaterializations"]
        entries = {one["label"]: one.get("text", one.get("timestamp")) for one in events[0]["metadataEntries"]}
        return entries["mystocks/version"] == version and abs(float(entries["mystocks/loaded_at"]) - time.time()) < 300

    wait_for(loaded, 100, "the new version in the catalog")
    watched.looked(time.time())
    assert watched.hook.titles.count("❌ 任务文件有错误") == 1


def test_a_file_that_cannot_be_read_at_all_is_told_too(watched: Watched) -> None:
    watched.folder.write("tasks.yaml", "tasks: [")
    wait_for(lambda: watched.hook.titles.count("❌ 任务文件有错误") == 2, 100, "the message")
    assert "this is not YAML" in watched.hook.messages[-1]["message"]
    watched.verdict("task_file", "FAILED", "cannot be loaded")


def test_a_daemon_that_cannot_be_kept_running_is_told_by_the_process_that_started_it(watched: Watched) -> None:
    watched.write()
    path = watched.folder.root / ".dagster" / lock.DAEMON_LOCK
    holder = lock.holder(path)
    assert holder is not None
    os.kill(holder.pid, signal.SIGKILL)
    # Each new one finds that another daemon runs, and ends.
    wait_for(lambda: _claimed(path), 60, "the lock of the killed daemon")
    try:
        told = watched.told("🛑 调度守护进程已停止")
    finally:
        lock.release(path)
    assert "Dagster 的进程意外退出" in told
    assert watched.server.process.wait(60) == 1


def _claimed(path: Path) -> bool:
    try:
        lock.claim(path, "A daemon")
    except lock.LockHeld:
        return False
    return True
