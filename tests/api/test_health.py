"""What monitoring and orchestrators ask, and what they are told without the token."""

import pytest
from api.conftest import open_client
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from support.project import Folder


@pytest.fixture
def guarded(desk: Folder, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """A client of a server that has a token."""
    monkeypatch.setenv("MYSTOCKS_API_TOKEN", "s3cret")
    return open_client()


TOKEN = {"authorization": "Bearer s3cret"}


def test_an_orchestrator_asks_without_the_token_and_learns_no_more_than_yes_or_no(guarded: TestClient) -> None:
    assert guarded.get("/health/live").json() == {"status": "live"}
    answer = guarded.get("/health/ready")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})
    checks = guarded.get("/health/ready", headers=TOKEN).json()["checks"]
    assert [check["name"] for check in checks] == ["storage", "task_file"]


def test_a_server_whose_task_file_cannot_be_used_is_alive_and_not_ready(desk: Folder) -> None:
    desk.write("tasks.yaml", "tasks: [")
    client = open_client()
    assert client.get("/health/live").status_code == 200
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json()["status"]) == (503, "not_ready")
    failed = next(check for check in answer.json()["checks"] if not check["ok"])
    assert failed["name"] == "task_file"
    assert failed["remedy"] == "mystocks check"


def test_the_figures_for_prometheus_are_behind_the_same_door(guarded: TestClient) -> None:
    assert guarded.get("/metrics").status_code == 401
    answer = guarded.get("/metrics", headers=TOKEN)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    entries = next(
        family for family in text_string_to_metric_families(answer.text) if family.name == "mystocks_task_file_entries"
    )
    assert {sample.labels["kind"]: sample.value for sample in entries.samples} == {"task": 2, "group": 1}
