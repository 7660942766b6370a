"""The `mystocks` script: Ctrl-C while Python still imports the modules, and after that."""

import signal
import subprocess
import sys
import tomllib

from support.project import ROOT, Folder

#: A person who presses Ctrl-C when Python comes to a module.
PRESSED = """
import os, signal, sys

class Pressed:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, {handler})
sys.meta_path.insert(0, Pressed())
from mystocks_dagster.cli.entry import main
main()
"""


def pressed(folder: Folder, module: str, handler: str = "signal.default_int_handler") -> tuple[int, str, str]:
    """Return the exit code, stdout and stderr of `mystocks list --json`."""
    command = [sys.executable, "-c", PRESSED.format(module=module, handler=handler), "list", "--json"]
    done = subprocess.run(
        command, cwd=folder.root, env=folder.environment, capture_output=True, text=True, timeout=120, check=False
    )
    return done.returncode, done.stdout, done.stderr


def test_ctrl_c_while_python_imports_ends_without_a_word(folder: Folder) -> None:
    folder.write("tasks.yaml", "tasks: []\n")
    for module in ("typer", "mystocks_dagster.cli.worker"):
        assert pressed(folder, module) == (-signal.SIGINT, "", "")


def test_ctrl_c_in_the_command_itself_is_no_traceback_either(folder: Folder) -> None:
    folder.write("tasks.yaml", "tasks: []\n")
    code, out, err = pressed(folder, "mystocks_dagster.cli.open_project")
    assert (code != 0, out, "Traceback" in err) == (True, "", False), err


def test_where_the_shell_has_ctrl_c_ignored_the_command_goes_on(folder: Folder) -> None:
    folder.write("tasks.yaml", "tasks: []\n")
    code, out, _ = pressed(folder, "typer", handler="signal.SIG_IGN")
    assert (code, out.strip()) == (0, "[]")


def test_the_script_is_this_entry() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    assert scripts == {"mystocks": "mystocks_dagster.cli.entry:main"}
