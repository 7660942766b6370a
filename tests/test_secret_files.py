"""Secrets that are in files, as Docker, Kubernetes and systemd hand them out."""

import os
from pathlib import Path

import pytest
from support.commands import Commands

from mystocks_dagster.errors import SettingsError
from mystocks_dagster.secret_files import read_secret_files
from mystocks_dagster.settings import Settings


def test_a_secret_is_read_from_its_file_and_the_programs_that_are_started_have_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("API_TOKEN", "DUMPS_KEY", "POSTGRES_URL", "WECOM_KEY"):
        (tmp_path / name).write_text(f"{name} of the file\n", encoding="utf-8")
        monkeypatch.setenv(f"MYSTOCKS_{name}_FILE", str(tmp_path / name))
    read_secret_files()
    read_secret_files()  # a command within a command
    settings = Settings.from_env()
    assert (settings.api_token, settings.source_key("dumps")) == ("API_TOKEN of the file", "DUMPS_KEY of the file")
    assert os.environ["MYSTOCKS_POSTGRES_URL"] == "POSTGRES_URL of the file"
    assert os.environ["MYSTOCKS_WECOM_KEY"] == "WECOM_KEY of the file"
    assert not [name for name in os.environ if name.startswith("MYSTOCKS_") and name.endswith("_FILE")]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "cannot be read (No such file or directory)"),
        (b"", "must hold the secret in one line"),
        (b"\n", "must hold the secret in one line"),
        (b"one\ntwo\n", "must hold the secret in one line"),
        (b"\xff\xfe", "is no text in UTF-8"),
        (b"x" * 70_000, "must hold the secret in one line"),
    ],
)
def test_a_file_without_a_secret_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, told: str
) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("MYSTOCKS_API_TOKEN_FILE", str(path))
    with pytest.raises(SettingsError) as error:
        read_secret_files()
    assert str(error.value).startswith(f"MYSTOCKS_API_TOKEN_FILE: {path}")
    assert told in str(error.value)


def test_a_secret_that_is_set_in_two_ways_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYSTOCKS_API_TOKEN", "one")
    monkeypatch.setenv("MYSTOCKS_API_TOKEN_FILE", str(tmp_path / "other"))
    with pytest.raises(SettingsError, match="MYSTOCKS_API_TOKEN and MYSTOCKS_API_TOKEN_FILE are both set"):
        read_secret_files()


def test_every_command_reads_them_and_says_what_is_wrong(cli: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYSTOCKS_API_TOKEN_FILE", "/nowhere/token")
    assert "MYSTOCKS_API_TOKEN_FILE: /nowhere/token cannot be read" in cli("list", code=1)
