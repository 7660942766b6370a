"""Channels: what fails is shown without its secrets, tried again later, and stops no other."""

import subprocess
import sys
from datetime import timedelta

import pytest
from alerts.conftest import Project
from support.project import wait_for
from support.receivers import Mailbox, Webhook

from mystocks_dagster.alerts import delivery
from mystocks_dagster.alerts.channels import PATIENCE, DeliveryUncertain, channels_of, label_of, send
from mystocks_dagster.factory.alerting import channel_outcome
from mystocks_dagster.market.clock import SHANGHAI, now

KEY = "693a91f6-7abc-4bc4"


def verdict(project: Project) -> tuple[bool, str]:
    told = channel_outcome(project.engine, project.ledger)
    return told.passed, told.description


def test_a_failing_channel_is_red_and_the_other_is_told(project: Project, hook: Webhook) -> None:
    project.monkeypatch.setenv("HOOK_KEY", KEY)
    project.use("json://127.0.0.1:1/${HOOK_KEY}", hook.url)
    project.mood("bad")
    project.run("other")
    project.look()
    assert len(hook.messages) == 1
    passed, told = verdict(project)
    assert not passed
    assert told.startswith("json://127.0.0.1:1/${HOOK_KEY}: ")
    assert "(1 waiting)" in told
    assert KEY not in told + project.ledger.model_dump_json()


def test_a_failing_channel_is_tried_again_ever_more_slowly_and_gets_what_waited(
    project: Project, hook: Webhook
) -> None:
    hook.status = 500
    project.use(hook.url)
    project.mood("bad")
    project.run("other")
    project.look()
    project.look()
    assert len(hook.paths) == 1
    pauses = []
    for _ in range(3):
        line = project.ledger.channels[project.engine.channels[0].id]
        assert line.again is not None
        pauses.append(line.again)
        project.at(f"{(line.again + timedelta(seconds=1)).astimezone(SHANGHAI):%Y-%m-%dT%H:%M:%S}")
        project.look()
    assert len(hook.paths) == 4
    assert pauses[2] - pauses[1] > pauses[1] - pauses[0]
    hook.status = 200
    line = project.ledger.channels[project.engine.channels[0].id]
    assert line.again is not None
    project.at(f"{(line.again + timedelta(seconds=1)).astimezone(SHANGHAI):%Y-%m-%dT%H:%M:%S}")
    project.look()
    assert hook.titles == ["❌ 任务失败：另一个"]
    assert verdict(project) == (True, "1 channel(s) accept messages.")


def test_what_waited_for_an_address_that_is_mended_goes_to_the_new_one(project: Project, hook: Webhook) -> None:
    project.use("json://127.0.0.1:1/", hook.url)
    project.mood("bad")
    project.run("other")
    project.look()
    assert hook.paths == ["/hook"]
    project.use(f"{hook.url}/mended", hook.url)
    project.look()
    assert hook.paths == ["/hook", "/hook/mended"]
    assert set(project.ledger.messages[0].to.values()) == {"sent"}


def test_what_waited_for_an_address_that_is_taken_out_is_given_up(project: Project, hook: Webhook) -> None:
    project.use("json://127.0.0.1:1/", hook.url)
    project.mood("bad")
    project.run("other")
    project.look()
    project.use(hook.url)
    assert hook.paths == ["/hook"]
    assert sorted(project.ledger.messages[0].to.values()) == ["given_up", "sent"]


def test_a_variable_that_is_not_set_stops_only_its_channel(project: Project, hook: Webhook) -> None:
    project.use("wecombot://${NO_SUCH_VARIABLE}", hook.url)
    project.mood("bad")
    project.run("other")
    project.look()
    assert hook.titles == ["❌ 任务文件有错误", "❌ 任务失败：另一个"]
    assert verdict(project)[1].startswith(
        "wecombot://${NO_SUCH_VARIABLE}: the environment variable NO_SUCH_VARIABLE is not set"
    )


LOOK = """
import sys
sys.path.insert(0, ".")
from mystocks_dagster.alerts.rules.task_file import FileWatch
from mystocks_dagster.alerts.engine import AlertEngine
from mystocks_dagster.instance import open_instance
from mystocks_dagster.settings import Settings
from mystocks_dagster.taskfile.reader import load_task_file

settings = Settings.from_env()
version = load_task_file(settings.task_file)
AlertEngine.of(version).evaluate(open_instance(settings), settings, FileWatch(version).state())
"""


def test_what_a_killed_process_was_sending_is_not_sent_again_and_is_shown_as_doubtful(
    project: Project, hook: Webhook
) -> None:
    project.use(hook.url)
    project.mood("bad")
    project.run("other")
    hook.hang = True
    process = subprocess.Popen([sys.executable, "-c", LOOK], cwd=project.folder.root)
    wait_for(lambda: hook.messages, 60, "the message")
    process.kill()
    process.wait()
    hook.hang = False
    hook.released.set()
    project.restart()
    project.look()
    project.look()
    assert hook.titles == ["❌ 任务失败：另一个"]
    passed, told = verdict(project)
    assert not passed
    assert "may not have arrived" in told
    project.run("other")
    project.look()
    assert len(hook.messages) == 2
    assert verdict(project)[0]


def test_two_at_once_send_once(project: Project, hook: Webhook) -> None:
    project.use(hook.url)
    project.mood("bad")
    project.run("other")
    hook.hang = True
    process = subprocess.Popen([sys.executable, "-c", LOOK], cwd=project.folder.root)
    wait_for(lambda: hook.messages, 60, "the message")
    told = project.engine.evaluate(project.instance, project.settings, project.watch.state())
    assert told == "another process is sending messages"
    hook.released.set()
    assert process.wait(60) == 0
    project.look()
    assert len(hook.messages) == 1


def test_a_channel_that_takes_a_message_and_does_not_answer_gets_it_once(project: Project, hook: Webhook) -> None:
    project.monkeypatch.setattr(delivery, "PATIENCE", 0.5)
    project.use(hook.url)
    project.mood("bad")
    project.run("other")
    hook.hang = True
    project.look()
    passed, told = verdict(project)
    assert not passed
    assert "no answer within 0.5 s to '❌ 任务失败：另一个': it may have arrived, and is not sent again" in told
    hook.hang = False
    hook.released.set()
    project.at(f"{now() + timedelta(hours=2):%Y-%m-%dT%H:%M:%S}")
    project.look()
    assert hook.titles == ["❌ 任务失败：另一个"]
    project.run("other")
    project.look()
    assert len(hook.titles) == 2
    assert verdict(project)[0]


def test_what_is_answered_late_is_delivered(hook: Webhook, mail: Mailbox) -> None:
    # apprise by itself waits 4 s for the web.
    assert PATIENCE == 20
    mail.delay = 0.3
    for url in (hook.url, mail.url):
        [channel] = channels_of({"alerts": {"urls": [url]}}, {})
        assert send(channel, "title", "body") is None
    for url, patience in ((hook.url, 0.2), (mail.url, 0.2)):
        hook.hang = True
        [channel] = channels_of({"alerts": {"urls": [url]}}, {})
        assert isinstance(send(channel, "title", "body", patience), DeliveryUncertain), url


@pytest.mark.slow
def test_what_cannot_be_reached_has_not_got_it() -> None:
    for url in ("json://127.0.0.1:1/", "mailto://127.0.0.1:1?smtp=127.0.0.1&from=a@b.cn&to=c@d.cn"):
        [channel] = channels_of({"alerts": {"urls": [url]}}, {})
        told = send(channel, "title", "body")
        assert told
        assert "onnection" in told
        assert not isinstance(told, DeliveryUncertain)


@pytest.mark.parametrize(
    ("template", "label"),
    [
        ("wecombot://${WECOM_KEY}", "wecombot://${WECOM_KEY}"),
        ("wecombot://693a91f6-7abc", "wecombot://***"),
        ("tgram://123:abc/${CHAT}", "tgram://***/${CHAT}"),
        ("mailtos://me:hunter2@example.com", "mailtos://me:***@example.com"),
        ("jsons://host/hook?token=abc&x=1", "jsons://host/hook?token=***&x=1"),
        ("${WHOLE_ADDRESS}", "${WHOLE_ADDRESS}"),
        ("${WHOLE_ADDRESS:-wecombot://693a91f6}", "${WHOLE_ADDRESS:-***}"),
        ("wecombot://${KEY:-693a91f6}", "wecombot://${KEY:-***}"),
        ("dingtalk://literal@${TOKEN}", "dingtalk://***@${TOKEN}"),
        ("mailtos://me:${PW:-hunter2}@example.com", "mailtos://me:${PW:-***}@example.com"),
        ("jsons://host/hook?token=${T:-abc}&x=1", "jsons://host/hook?token=${T:-***}&x=1"),
    ],
)
def test_an_address_is_shown_without_what_may_be_a_secret(template: str, label: str) -> None:
    assert label_of(template) == label


def test_no_form_of_a_secret_is_in_what_a_channel_complains_of() -> None:
    head = {"alerts": {"urls": ["json://user:${PASSWORD}@127.0.0.1:1/a"]}}
    channel = channels_of(head, {"PASSWORD": "p w/ö+rd"})[0]
    told = send(channel, "title", "body")
    assert told is not None
    # What another service of apprise may say: a host that does not answer is named with its whole address by some.
    told += channel.masked(
        "no answer from /a?key=p%20w%2F%C3%B6%2Brd, /p w/ö+rd/, p+w%2F%C3%B6%2Brd and p%20w/%C3%B6%2Brd"
    )
    for form in ("p w/ö+rd", "p%20w/%C3%B6%2Brd", "p+w%2F%C3%B6%2Brd", "p%20w%2F%C3%B6%2Brd"):
        assert form not in told
        assert form not in repr(channel)


def test_apprise_is_not_imported_while_there_are_no_addresses(project: Project) -> None:
    project.folder.write(
        "tasks.yaml",
        "task_packages: [work]\ntasks:\n  - {task_id: x, task_type: manual, task_module: work, task_function: sync}\n",
    )
    check = (
        "import sys; from pathlib import Path; from mystocks_dagster.factory.build import build_definitions;"
        "from mystocks_dagster.taskfile.reader import load_task_file;"
        "d = build_definitions(load_task_file(Path('tasks.yaml'))).get_repository_def();"
        "assert 'apprise' not in sys.modules; print(sorted(s.name for s in d.sensor_defs))"
    )
    done = subprocess.run(
        [sys.executable, "-c", check], cwd=project.folder.root, capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == "['supervisors__sensor', 'system__sensor']"


def test_a_look_at_nothing_new_is_cheap(project: Project, hook: Webhook) -> None:
    # The statements that a look adds to Dagster's own tick are counted, not timed.
    project.use(hook.url)
    project.look()
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    statements: list[str] = []
    listen = lambda *arguments: statements.append(arguments[2])  # noqa: E731
    event.listen(Engine, "before_cursor_execute", listen)
    try:
        project.look()
    finally:
        event.remove(Engine, "before_cursor_execute", listen)
    wanted = [one for one in statements if not one.lstrip().upper().startswith("PRAGMA")]
    assert len(wanted) <= 6, wanted
