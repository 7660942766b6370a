"""What a fork does leaves nothing in this process, and its failure is this process's own."""

import subprocess
import sys
from pathlib import Path

import pytest

_PROGRAM = """
import sys
from pathlib import Path
from mystocks_dagster.processes.fork import in_a_fork

def work():
    import {module}
    with Path(sys.argv[1]).open("a") as notes:
        notes.write("done\\n")

in_a_fork(work)
print("{module}" in sys.modules)
"""


def run(program: str, notes: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program, notes], capture_output=True, text=True)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not fork")
def test_what_the_work_imports_is_not_kept(tmp_path: Path) -> None:
    done = run(_PROGRAM.format(module="colorsys"), tmp_path / "notes")
    assert (done.stdout, done.returncode) == ("False\n", 0)
    assert (tmp_path / "notes").read_text() == "done\n"


def test_a_process_with_threads_does_the_work_itself(tmp_path: Path) -> None:
    thread = "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"
    done = run(thread + _PROGRAM.format(module="colorsys"), tmp_path / "notes")
    assert (done.stdout, done.returncode) == ("True\n", 0)
    assert (tmp_path / "notes").read_text() == "done\n"


def test_an_error_of_the_work_is_raised_where_it_was_asked_for(tmp_path: Path) -> None:
    done = run(_PROGRAM.format(module="no_such_module"), tmp_path / "notes")
    assert done.returncode == 1
    assert done.stderr.strip().endswith("No module named 'no_such_module'")
