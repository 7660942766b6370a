"""A reload after a save was answered: its failure is visible everywhere until a reload succeeds."""

import http.server
import json
import threading
from collections.abc import Iterator
from urllib.parse import unquote

import pytest
from api.conftest import NEW, make_desk, open_client
from fastapi.testclient import TestClient
from support.project import Folder, wait_for

from mystocks_dagster.instance import address_note
from mystocks_dagster.project import background_reload, reload_state
from mystocks_dagster.project.background_reload import BackgroundReload
from mystocks_dagster.settings import Settings

REASON = "500 Internal Server Error"


class Broken(http.server.BaseHTTPRequestHandler):
    """What answers at the web UI's address and cannot load anything."""

    def do_POST(self) -> None:
        self.send_error(500)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def desk(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Folder]:
    """A project whose web UI answers nothing but errors."""
    folder = make_desk(tmp_path_factory.mktemp("reload") / "desk", monkeypatch)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Broken)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    folder.write(".dagster/ui.json", address_note(f"http://127.0.0.1:{server.server_port}"))
    yield folder
    server.shutdown()
    server.server_close()


@pytest.fixture
def client(desk: Folder) -> Iterator[TestClient]:
    with open_client() as client:
        yield client


def test_a_reload_that_fails_is_shown_by_health_pages_and_headers_until_one_succeeds(client: TestClient) -> None:
    settings = Settings.from_env()
    answer = client.post("/api/tasks/register", json=NEW).json()
    assert (answer["success"], answer["data"]["reload"], answer["data"]["not_reloaded"]) == (True, "under way", None)
    assert answer["message"] == "more was registered. The running web UI is loading the change."
    wait_for(lambda: reload_state.trouble(settings), 30, "the failure")
    listed = client.get("/api/tasks/")
    assert "more" in {task["task_id"] for task in listed.json()}, "the file is what counts"
    assert REASON in unquote(listed.headers["x-mystocks-taskfile-problem"])
    page = client.get("/tasks", headers={"accept-language": "zh-CN"})
    assert "Dagster 界面尚未加载已保存的任务文件。" in page.text
    assert REASON in page.text
    reload_state.forget(settings)
    assert "x-mystocks-taskfile-problem" not in client.get("/api/tasks/").headers


def test_a_process_that_was_killed_while_it_reloaded_is_not_taken_for_one_that_goes_on(desk: Folder) -> None:
    settings = Settings.from_env()
    desk.write(".dagster/reload.json", json.dumps({"pid": 2**22 + 1, "error": None}))
    assert not reload_state.under_way(settings)
    assert "mystocks reload" in str(reload_state.trouble(settings))


def test_many_saves_share_reloads_and_none_is_left_out(desk: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings.from_env()
    begun, go_on, read = threading.Semaphore(0), threading.Event(), []

    def load(_settings: Settings, *, always: bool) -> None:
        read.append((desk.root / "saved").read_text(encoding="utf-8"))
        begun.release()
        assert go_on.wait(30)
        reload_state.forget(settings)

    monkeypatch.setattr(background_reload.reload, "reload", load)
    reloads = BackgroundReload(settings)
    for number in range(20):
        desk.write("saved", str(number))
        assert reloads.begin()
        if number == 0:
            assert begun.acquire(timeout=30)
    assert reload_state.under_way(settings)
    go_on.set()
    wait_for(lambda: not reload_state.under_way(settings) and len(read) == 2, 30, "the end of the reloads")
    assert read == ["0", "19"], "the second one reads what was saved last"


def test_without_a_web_ui_nothing_is_reloaded(desk: Folder) -> None:
    (desk.root / ".dagster" / "ui.json").unlink()
    assert not BackgroundReload(Settings.from_env()).begin()
    with open_client() as client:
        assert client.post("/api/tasks/register", json=NEW).json()["data"]["reload"] == "not needed"
