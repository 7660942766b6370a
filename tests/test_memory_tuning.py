"""A task's process keeps freed memory for a while, unless the user's environment says otherwise."""

import os

import pytest

from mystocks_dagster.memory_tuning import keep_memory

VARIABLE = "_RJEM_MALLOC_CONF"


def test_freed_memory_is_kept_for_ten_seconds(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(VARIABLE, "")
    monkeypatch.delenv(VARIABLE)
    keep_memory()
    assert "dirty_decay_ms:10000" in os.environ[VARIABLE]


def test_a_setting_of_the_users_wins(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(VARIABLE, "dirty_decay_ms:0")
    keep_memory()
    assert os.environ[VARIABLE] == "dirty_decay_ms:0"
