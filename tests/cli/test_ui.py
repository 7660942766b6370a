"""`mystocks ui --open`: the browser opens when the pages answer, and only when it was asked for."""

from pathlib import Path

import pytest
from support.commands import Commands

from mystocks_dagster.project import servers

pytestmark = pytest.mark.slow  # the browser is a process

ADDRESS = "http://127.0.0.1:3999"


@pytest.fixture
def opened(cli: Commands, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A browser that writes the address it is given into a file; the servers are ready at once."""
    file, browser = tmp_path / "address", tmp_path / "browser"
    browser.write_text(f"#!/bin/sh\necho $1 > {file}\n", encoding="utf-8")
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER", f"{browser} %s")

    def ready_at_once(_settings: object, _host: str, _port: int, report, ready=lambda _address: None) -> int:
        report(f"MyStocks is at {ADDRESS}")
        ready(ADDRESS)
        return 0

    monkeypatch.setattr(servers, "serve", ready_at_once)
    return file


def test_the_browser_opens_at_the_address(cli: Commands, opened: Path) -> None:
    cli("ui", "--open")
    assert opened.read_text(encoding="utf-8").strip() == ADDRESS


def test_no_browser_opens_unasked(cli: Commands, opened: Path) -> None:
    cli("ui")
    assert not opened.exists()
