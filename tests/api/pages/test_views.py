"""The pages at /tasks: what a person sees, and what their forms do to tasks.yaml."""

import html
import re
import time
from pathlib import Path

import pytest
import yaml
from dagster._daemon.types import DaemonHeartbeat
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.project import Folder

from mystocks_dagster.api.languages import LANGUAGES
from mystocks_dagster.api.pages import edit_views
from mystocks_dagster.execution.result_encoding import to_record
from mystocks_dagster.history import Execution
from mystocks_dagster.instance import address_note
from mystocks_dagster.project.edit import ChangedMeanwhile, TaskFileEditor
from mystocks_dagster.project.run_history import RunHistory
from mystocks_dagster.runs.launch import QUEUE_DAEMON
from mystocks_dagster.settings import Settings
from mystocks_dagster.taskfile.form import form_fields
from mystocks_dagster.taskfile.group import Group
from mystocks_dagster.taskfile.model import Task
from mystocks_dagster.taskfile.schedule import Schedule

pytestmark = pytest.mark.slow

NEW = {
    "task_id": "tidy",
    "task_name": "整理",
    "task_type": "cron",
    "task_module": "paged",
    "task_function": "report",
    "params": "days: 3\nname: 000001",
    "tags": "晚间, weekly",
    "enabled": "on",
    "stop_on_error": "on",
    "schedule.schedule_type": "cron",
    "schedule.cron_expression": "30 17 * * 5",
    "schedule.enabled": "on",
    "schedule.misfire": "latest",
    "log_level": "INFO",
    "timeout": "60",
}


def tasks(project: Folder) -> dict[str, dict[str, object]]:
    """Return the tasks as any YAML reader finds them in the file."""
    data = yaml.safe_load((project.root / "tasks.yaml").read_text(encoding="utf-8"))
    return {task["task_id"]: task for task in data["tasks"]}


def form_of(page: str) -> dict[str, str]:
    """Return what a browser would send back of the page's form when nothing is changed."""
    fields = dict(re.findall(r'<input id="([^"]+)" name="[^"]+" value="([^"]*)"', page))
    fields |= dict.fromkeys(
        re.findall(r'<input type="checkbox" id="([^"]+)" name="[^"]+" value="on" checked', page), "on"
    )
    for name, options in re.findall(r'<select id="([^"]+)".*?>(.*?)</select>', page, re.DOTALL):
        chosen = re.search(r'value="([^"]*)" selected', options)
        fields[name] = chosen[1] if chosen else ""
    fields |= dict(re.findall(r'<textarea id="([^"]+)"[^>]*>(.*?)</textarea>', page, re.DOTALL))
    fields |= dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
    return {name: html.unescape(text) for name, text in fields.items()}


@pytest.mark.slow
def test_one_table_has_all_tasks_and_groups_with_switch_next_run_and_rate(browser: TestClient) -> None:
    page = browser.get("/tasks")
    assert page.status_code == 200
    for text in ("装载行情", "晚间任务组", "数据同步", "下次运行", "成功率", "16:00"):
        assert text in page.text
    assert page.text.count('class="switch is-on"') == 1  # only `load` has a schedule


def test_all_times_are_shanghais_and_another_zones_own_stands_beside(
    browser: TestClient, project: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MYSTOCKS_NOW", "2026-11-24T12:00:00+08:00")
    TaskFileEditor(Settings.from_env()).edit("load", {"schedule": {"timezone": "America/New_York"}})
    for path in ("/tasks", "/tasks/load"):
        page = browser.get(path).text
        # 16:00 on a Tuesday in New York is 05:00 on Wednesday in Shanghai.
        shown = re.search(r'<time datetime="2026-11-24T16:00:00-05:00">(.*?)</time> <small>(.*?)</small>', page)
        assert shown
        assert shown[1] == "11-25 05:00"
        assert shown[2].startswith("周三")
        assert "11-24 16:00 America/New_York" in shown[2]
    TaskFileEditor(Settings.from_env()).edit("load", {"schedule": {"timezone": None}})
    page = browser.get("/tasks").text
    assert '<time datetime="2026-11-24T16:00:00+08:00">11-24 16:00</time> <small>周二</small>' in page


UI = "http://127.0.0.1:3999"


@pytest.fixture
def dagster(project: Folder) -> str:
    """Where the pages believe that Dagster's UI runs, up to the names of things there."""
    (project.root / ".dagster" / "ui.json").write_text(address_note(UI), encoding="utf-8")
    return f"{UI}/dagster/locations/mystocks"


def links_of(page: str) -> set[str]:
    """Return where the links of the page lead."""
    return set(re.findall(r'<a [^>]*href="([^"]*)"', page))


def test_each_line_of_the_table_leads_to_its_job_also_that_of_a_broken_task(
    browser: TestClient, project: Folder, dagster: str
) -> None:
    path = project.root / "tasks.yaml"
    path.write_text(
        path.read_text(encoding="utf-8").replace("task_function: report", "task_function: reprot"), encoding="utf-8"
    )
    page = browser.get("/tasks").text
    rows = dict(re.findall(r'<tr id="(\w+)".*?</th>()', page, re.DOTALL))
    assert rows.keys() == {"load", "report", "evening"}
    for name in rows:
        row = re.search(rf'<tr id="{name}".*?</tr>', page, re.DOTALL)
        assert row
        assert f"{dagster}/jobs/{name}" in links_of(row[0]), name
    assert f"{UI}/dagster/assets/task_statistics" in links_of(page)


def test_a_tasks_page_leads_to_its_job_runs_table_and_schedule(browser: TestClient, dagster: str) -> None:
    wanted = {
        f"{dagster}/jobs/load",
        f"{dagster}/jobs/load/runs",
        f"{UI}/dagster/assets/load",
        f"{dagster}/schedules/load__schedule",
    }
    assert wanted <= links_of(browser.get("/tasks/load").text)
    report = links_of(browser.get("/tasks/report").text)
    assert f"{dagster}/jobs/report" in report
    assert not any(
        "/assets/" in link or "__schedule" in link for link in report
    )  # it keeps no table and has no schedule


def test_a_page_says_when_no_daemon_gives_a_sign_of_life(browser: TestClient, dagster: str) -> None:
    assert dagster
    assert "守护进程没有心跳" in browser.get("/tasks").text
    browser.app.state.manager.project.instance.add_daemon_heartbeat(
        DaemonHeartbeat(timestamp=time.time(), daemon_type=QUEUE_DAEMON, daemon_id="a", errors=[])
    )
    assert "守护进程没有心跳" not in browser.get("/tasks").text


def test_the_pages_say_how_an_empty_lake_is_filled(browser: TestClient) -> None:
    assert "<code>mystocks bootstrap</code>" in browser.get("/tasks").text
    lake = browser.app.state.manager.project.settings.lake
    Path(lake, "daily_bars", "_delta_log").mkdir(parents=True)
    assert "mystocks bootstrap" not in browser.get("/tasks").text


def test_no_page_leads_into_a_ui_that_does_not_run(browser: TestClient) -> None:
    assert not any("/locations/" in link or "/assets/" in link for link in links_of(browser.get("/tasks").text))


def test_a_task_without_a_timeout_has_none_on_its_page(browser: TestClient, project: Folder) -> None:
    without = next(name for name, entry in tasks(project).items() if "timeout" not in entry)
    for language, label, none in (("zh", "超时（秒）", "无"), ("en", "Timeout (seconds)", "None")):
        page = browser.get(f"/tasks/{without}", params={"lang": language}).text
        assert re.search(rf"<dt>{re.escape(label)}</dt><dd>{none}</dd>", page)
        assert ">null<" not in page


def test_names_are_escaped(browser: TestClient) -> None:
    for path in ("/tasks", "/tasks/report", "/tasks/report/run"):
        page = browser.get(path).text
        assert "报表 &lt;b&gt;" in page
        assert "报表 <b>" not in page
    assert "<script>alert" not in browser.get("/tasks?q=<script>alert(1)</script>").text


def test_the_table_can_be_narrowed(browser: TestClient) -> None:
    page = browser.get("/tasks", params={"q": "daily"}).text
    assert 'id="load"' in page
    assert 'id="report"' not in page
    assert 'id="load"' not in browser.get("/tasks", params={"type": "manual"}).text


def test_the_language_is_the_browsers_until_one_is_chosen_and_is_remembered(browser: TestClient) -> None:
    assert "New task" in browser.get("/tasks", headers={"accept-language": "en-GB,en"}).text
    assert "新建任务" in browser.get("/tasks").text
    browser.get("/tasks?lang=en")
    assert "New task" in browser.get("/tasks").text
    assert "新建任务" in browser.get("/tasks?lang=zh").text


def test_a_form_makes_a_task_in_the_file_and_nothing_else(browser: TestClient, project: Folder) -> None:
    before = (project.root / "tasks.yaml").read_text(encoding="utf-8")
    answer = browser.post("/tasks/-/new", data=NEW, follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/tasks/tidy?done=created")
    assert tasks(project)["tidy"] == {
        "task_id": "tidy",
        "task_name": "整理",
        "task_type": "cron",
        "task_module": "paged",
        "task_function": "report",
        "params": {"days": 3, "name": "000001"},
        "tags": ["晚间", "weekly"],
        "schedule": {"schedule_type": "cron", "cron_expression": "30 17 * * 5"},
        "timeout": 60,
    }
    lines = (project.root / "tasks.yaml").read_text(encoding="utf-8").splitlines()
    assert all(line in lines for line in before.splitlines())


def test_a_form_that_is_wrong_comes_back_as_it_was_typed_with_the_message_beside_the_field(
    browser: TestClient, project: Folder
) -> None:
    before = (project.root / "tasks.yaml").read_text(encoding="utf-8")
    page = browser.post("/tasks/-/new", data=NEW | {"schedule.cron_expression": "61 17 * * 5", "timeout": "soon"})
    assert page.status_code == 422
    for field, message in (("schedule.cron_expression", "61"), ("timeout", "应为整数")):
        beside = re.search(rf'data-field="{re.escape(field)}".*?<p id="[^"]*">(.*?)</p>', page.text, re.DOTALL)
        assert beside
        assert re.search(message, beside[1])
    assert re.search(r"tasks\.yaml:\d+:\d+: ", page.text)
    assert form_of(page.text)["schedule.cron_expression"] == "61 17 * * 5"
    assert form_of(page.text)["params"].strip() == NEW["params"]
    assert (project.root / "tasks.yaml").read_text(encoding="utf-8") == before


def test_params_that_are_no_yaml_are_told_with_their_line(browser: TestClient) -> None:
    page = browser.post("/tasks/-/new", data=NEW | {"params": "days: 3\nname: [1"})
    assert page.status_code == 422
    assert "params:" in page.text
    assert form_of(page.text)["params"].endswith("name: [1")


def test_saving_a_form_as_it_is_changes_nothing(browser: TestClient, project: Folder) -> None:
    before = (project.root / "tasks.yaml").read_text(encoding="utf-8")
    for name in ("load", "report", "evening"):
        form = form_of(browser.get(f"/tasks/{name}/edit").text)
        answer = browser.post(f"/tasks/{name}/edit", data=form, follow_redirects=False)
        assert answer.headers["location"] == f"/tasks/{name}?done=same"
    assert (project.root / "tasks.yaml").read_text(encoding="utf-8") == before


def test_an_edit_changes_what_was_changed_and_keeps_comments_and_variables(
    browser: TestClient, project: Folder
) -> None:
    form = form_of(browser.get("/tasks/load/edit").text)
    browser.post(
        "/tasks/load/edit", data=form | {"timeout": "90", "params": form["params"].replace("rows: 3", "rows: 5")}
    )
    text = (project.root / "tasks.yaml").read_text(encoding="utf-8")
    assert tasks(project)["load"]["timeout"] == 90
    assert tasks(project)["load"]["params"] == {"rows": 5, "secret": "${QUICK_SECRET:-hush}"}
    assert "# What this project runs." in text


@pytest.mark.parametrize(("language", "expected"), [("zh", "已被修改"), ("en", "were changed in the task file")])
def test_what_another_has_changed_meanwhile_is_told_before_it_is_replaced(
    browser: TestClient, project: Folder, language: str, expected: str
) -> None:
    form = form_of(browser.get("/tasks/load/edit").text) | {"retry_count": "2"}
    assert browser.patch("/api/tasks/load", json={"timeout": 77}).status_code == 200
    # The form's own faults come first. Showing them does not count as a message about the change.
    assert browser.post("/tasks/load/edit", data=form | {"params": "["}).status_code == 409
    page = browser.post("/tasks/load/edit", data=form, params={"lang": language})
    assert page.status_code == 409
    assert expected in page.text
    beside = re.search(r'data-field="timeout".*?<p id="[^"]*">(.*?)</p>', page.text, re.DOTALL)
    assert beside
    assert "77" in beside[1]
    assert tasks(project)["load"]["timeout"] == 77
    again = form_of(page.text)
    assert (again["retry_count"], again["timeout"]) == ("2", "")
    assert (
        browser.post("/tasks/load/edit", data=again, follow_redirects=False).headers["location"]
        == "/tasks/load?done=saved"
    )
    assert tasks(project)["load"]["retry_count"] == 2
    assert "timeout" not in tasks(project)["load"]


def test_a_change_after_a_form_that_was_wrong_is_told_too(browser: TestClient, project: Folder) -> None:
    form = form_of(browser.get("/tasks/load/edit").text)
    page = browser.post("/tasks/load/edit", data=form | {"timeout": "soon"})
    assert page.status_code == 422
    browser.patch("/api/tasks/load", json={"retry_count": 3})
    assert browser.post("/tasks/load/edit", data=form_of(page.text) | {"timeout": "9"}).status_code == 409
    assert tasks(project)["load"]["retry_count"] == 3


def test_a_change_between_the_look_and_the_writing_is_not_lost(project: Folder) -> None:
    editor = TaskFileEditor(Settings.from_env())
    seen = tasks(project)["load"]
    editor.edit("load", {"timeout": 77})
    with pytest.raises(ChangedMeanwhile):
        editor.replace("load", {**seen, "retry_count": 2}, instead_of=seen)
    assert tasks(project)["load"]["timeout"] == 77


def choices_of(page: str) -> dict[str, dict[str, str]]:
    """Return the texts of each field's choices as the page shows them."""
    return {
        name: dict(re.findall(r'<option value="([^"]*)"[^>]*>(.*?)</option>', options))
        for name, options in re.findall(r'<select id="([^"]+)".*?>(.*?)</select>', page, re.DOTALL)
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_choice_of_the_forms_has_a_text_of_its_own(browser: TestClient, language: str) -> None:
    templates = " ".join(
        path.read_text(encoding="utf-8") for path in Path(edit_views.__file__).parent.glob("templates/*.html")
    )
    in_schedule = {f"schedule.{name}": field for name, field in form_fields(Schedule).items()}
    elsewhere = set(re.findall(r"""\bt\(["'](\w+)["']\)""", templates))
    for kind in ("task", "group"):
        for name, shown in choices_of(browser.get(f"/tasks/-/new?kind={kind}&lang={language}").text).items():
            assert len(set(shown.values())) == len(shown)
            words = {**form_fields(Task), **form_fields(Group), **in_schedule}[name].choices
            assert {choice: text for choice, text in shown.items() if choice} == {
                choice: words[choice][LANGUAGES.index(language)] for choice in words
            }
            if name == "log_level":  # levels are called the same everywhere
                continue
            # A text that a page uses for something else, too, says that and not what the choice means.
            assert not elsewhere & set(shown), name


def test_another_kind_of_schedule_takes_the_place_of_the_old_one(browser: TestClient, project: Folder) -> None:
    form = form_of(browser.get("/tasks/load/edit").text)
    browser.post(
        "/tasks/load/edit", data=form | {"schedule.schedule_type": "interval", "schedule.interval_seconds": "600"}
    )
    assert tasks(project)["load"]["schedule"] == {"schedule_type": "interval", "interval_seconds": 600}
    form = form_of(browser.get("/tasks/load/edit").text)
    browser.post("/tasks/load/edit", data=form | {"schedule.schedule_type": ""})
    assert "schedule" not in tasks(project)["load"]


def test_deleting_names_those_that_depend_on_it_and_wants_force(browser: TestClient, project: Folder) -> None:
    page = browser.get("/tasks/load/delete").text
    assert "report" in page
    assert "evening" in page
    assert browser.post("/tasks/load/delete").status_code == 409
    assert "load" in tasks(project)
    answer = browser.post("/tasks/load/delete", data={"force": "on"}, follow_redirects=False)
    assert answer.headers["location"] == "/tasks?done=deleted"
    assert "load" not in tasks(project)
    assert "dependencies" not in tasks(project)["report"]


def test_a_switch_is_dagsters_own_and_can_be_reset(browser: TestClient, project: Folder) -> None:
    browser.post("/tasks/load/switch", data={"to": "off", "back": "table"})
    assert 'class="switch is-off"' in browser.get("/tasks").text
    assert {one["task_id"]: one["switch"]["on"] for one in project.json("list") if one.get("switch")} == {"load": False}
    assert tasks(project)["load"]["schedule"] == {"schedule_type": "cron", "cron_expression": "0 16 * * 1-5"}
    assert (
        browser.post("/tasks/load/switch", data={"to": "reset"}, follow_redirects=False).headers["location"]
        == "/tasks/load?done=reset"
    )
    assert 'class="switch is-on"' in browser.get("/tasks/load").text


def test_what_cannot_be_done_is_told_on_the_page(browser: TestClient) -> None:
    for path, data, status, expected in (
        ("/tasks/report/switch", {"to": "on"}, 409, "没有调度"),
        ("/tasks/report/stop", {}, 409, "没有在运行"),
        ("/tasks/load/run", {}, 503, "没有守护进程在运行"),
        ("/tasks/nothing/stop", {}, 404, "nothing"),
    ):
        page = browser.post(path, data=data)
        assert page.status_code == status
        assert page.headers["content-type"].startswith("text/html")
        assert expected in page.text


def test_secrets_are_shown_as_the_variables_they_come_from(
    browser: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUICK_SECRET", "open sesame")
    for path in ("/tasks/load", "/tasks/load/edit", "/tasks/load/run"):
        assert "open sesame" not in browser.get(path).text


@pytest.mark.parametrize("headers", [{"origin": "http://evil.example"}, {"origin": "null"}, {"origin": ""}])
def test_a_form_of_another_site_does_nothing(browser: TestClient, project: Folder, headers: dict[str, str]) -> None:
    for path in (
        "/tasks/load/delete",
        "/tasks/-/new",
        "/tasks/load/switch",
        "/tasks/load/run",
        "/tasks/load/edit",
        "/tasks/load/stop",
    ):
        assert browser.post(path, data=NEW | {"force": "on", "to": "off"}, headers=headers).status_code == 403
    assert set(tasks(project)) == {"load", "report"}


def test_no_page_runs_scripts_of_others_or_may_be_framed(browser: TestClient) -> None:
    policy = browser.get("/tasks").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert not re.search(r"<script(?! src=\"/tasks/-/)|\son\w+=|style=", browser.get("/tasks").text)


def test_a_broken_task_is_shown_with_its_line_and_can_be_mended_in_the_form(
    browser: TestClient, project: Folder
) -> None:
    path = project.root / "tasks.yaml"
    path.write_text(
        path.read_text(encoding="utf-8").replace("task_function: report", "task_function: reprot"), encoding="utf-8"
    )
    page = browser.get("/tasks").text
    assert "reprot" in page
    assert re.search(r"tasks\.yaml:\d+", page)
    form = form_of(browser.get("/tasks/report/edit").text)
    assert (
        browser.post("/tasks/report/edit", data=form | {"task_function": "report"}, follow_redirects=False).status_code
        == 303
    )
    assert "reprot" not in browser.get("/tasks").text


def test_a_file_that_is_no_yaml_is_told_with_its_line(browser: TestClient, project: Folder) -> None:
    (project.root / "tasks.yaml").write_text("tasks: [", encoding="utf-8")
    page = browser.get("/tasks")
    assert page.status_code == 503
    assert re.search(r"tasks\.yaml:\d+:\d+: .*YAML", page.text)


def test_pages_are_answered_where_no_task_is_and_files_only_where_they_are_ours(browser: TestClient) -> None:
    assert browser.get("/tasks/none").status_code == 404
    assert browser.get("/tasks/-/tasks.css").headers["content-type"].startswith("text/css")
    assert browser.get("/tasks/-/router.py").status_code == 404


def test_a_form_that_does_not_say_where_it_comes_from_does_nothing(browser: TestClient, project: Folder) -> None:
    del browser.headers["origin"]
    assert browser.post("/tasks/load/delete", data={"force": "on"}).status_code == 403
    assert "load" in tasks(project)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    returned=st.none() | st.dictionaries(st.text(max_size=10), _JSON, max_size=4),
    message=st.none() | st.text(max_size=30),
)
def test_a_page_bears_every_result_that_a_function_may_return(
    browser: TestClient, monkeypatch: pytest.MonkeyPatch, returned: dict[str, object] | None, message: str | None
) -> None:
    result = {
        name: value
        for name, value in to_record(returned and {**returned, "status": "success"}).items()
        if name != "status"
    }
    expected = {"result": result["metadata"], "rows": result.get("rows", {})} if "metadata" in result else None
    if expected is not None and message is not None:
        expected["message"] = message
    executions = [
        Execution(
            execution_id="run:load",
            task_id="load",
            status="success",
            result=expected,
            run_id="run",
            job="load",
            params=expected,
        )
    ]
    monkeypatch.setattr(RunHistory, "executions", lambda *_args, **_kwargs: iter(executions))
    assert browser.get("/tasks/load").status_code == 200


def test_one_pass_shows_every_wrong_field_of_a_form(browser: TestClient, project: Folder) -> None:
    page = browser.post(
        "/tasks/-/new", data={**NEW, "params": "days: [", "timeout": "soon", "schedule.cron_expression": "0 25 * * *"}
    )
    assert page.status_code == 422
    text = html.unescape(page.text)
    for message in ("timeout 应为整数，这里是 'soon'", "小时 25 超出 0-23", "这不是 YAML"):
        assert message in text
    assert "tidy" not in tasks(project)


def test_a_refusal_is_told_in_the_language_of_the_page(browser: TestClient) -> None:
    assert "中没有任务或任务组 &#39;nope&#39;。" in browser.get("/tasks/nope").text
    assert "There is no task or group &#39;nope&#39;" in browser.get("/tasks/nope?lang=en").text
