"""The shipped task file for the tests of commands."""

import shutil

import pytest
from support.project import ROOT, Folder


@pytest.fixture
def shipped(folder: Folder) -> Folder:
    """The shipped task file, before anything has run."""
    shutil.rmtree(folder.root / ".dagster")
    folder.write("tasks.yaml", (ROOT / "tasks.yaml").read_text(encoding="utf-8"))
    return folder
