"""What monitoring and orchestrators ask, and what they are told without the token."""

import time
from pathlib import Path

import psycopg2
import pytest
from api.conftest import make_desk, open_client
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from support.chaos.database import Database
from support.postgres import postgres_server, use_postgres
from support.project import Folder

from mystocks_dagster.project import project_cache
from mystocks_dagster.project.project import Project


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


@pytest.mark.slow
def test_while_the_database_is_away_every_answer_comes_soon_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_desk(tmp_path / "away", monkeypatch)
    with postgres_server() as server:
        use_postgres(folder, server, monkeypatch)
        monkeypatch.setenv("MYSTOCKS_API_TOKEN", "s3cret")
        with open_client() as client:
            owner = {"authorization": "Bearer s3cret"}
            assert client.get("/api/tasks/", headers=owner).status_code == 200
            Database(server, {}).crash()
            time.sleep(project_cache._ANSWERS_SECONDS)
            began = time.monotonic()
            listed = client.get("/api/tasks/", headers=owner)
            assert listed.status_code == 503
            assert (listed.json()["error"], "does not answer" in listed.json()["message"]) == ("NoDatabase", True)
            page = client.get("/tasks", headers={**owner, "accept-language": "zh"})
            assert (page.status_code, page.headers["content-type"]) == (503, "text/html; charset=utf-8")
            assert "数据库没有响应" in page.text
            health = client.get("/api/tasks/health", headers=owner).json()
            failed = {check["name"] for check in health["checks"] if not check["ok"]}
            assert (health["status"], "database" in failed) == ("degraded", True)
            figures = client.get("/metrics", headers=owner).text
            assert "mystocks_daemon_up" not in figures
            assert 'mystocks_metrics_failed{part="daemon"} 1.0' in figures
            assert 'mystocks_metrics_failed{part="disk"} 0.0' in figures
            ready = client.get("/health/ready")
            assert (ready.status_code, ready.json()) == (503, {"status": "not_ready"})
            assert time.monotonic() - began < 20


@pytest.mark.slow
def test_an_outage_in_the_middle_of_a_request_is_told_as_one(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError from psycopg2.OperationalError("connection refused")

    monkeypatch.setattr(Project, "history", property(fail))
    listed = client.get("/api/tasks/executions")
    assert (listed.status_code, listed.json()["error"]) == (503, "NoDatabase")
    page = client.get("/tasks?lang=en")
    assert (page.status_code, "does not answer" in page.text) == (503, True)
