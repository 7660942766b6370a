"""Dagster's own UI below its path: an address that names nothing there is not found, and no failure of the server."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient
from support.commands import Commands

from mystocks_dagster.settings import Settings
from mystocks_dagster.web.dagster_ui import dagster_ui


@pytest.mark.parametrize("path", ["logs/..%2f..%2fetc/passwd", "logs/a/b/c", "download_debug/x"])
def test_a_log_or_a_run_that_is_not_there_is_not_found(cli: Commands, path: str) -> None:
    workspace: Path = cli.folder.root / "workspace.yaml"
    workspace.write_text("load_from: []\n", encoding="utf-8")
    with dagster_ui(Settings.from_env(), workspace) as app:
        browser = TestClient(app, base_url="http://127.0.0.1:3000", raise_server_exceptions=False)
        answer = browser.get(f"/dagster/{path}", headers={"accept-language": "zh"})
    assert answer.status_code == 404
    # Dagster itself has a page for a log whose name could be one.
    assert "不存在" in answer.text or answer.text == "No log files available for download"
