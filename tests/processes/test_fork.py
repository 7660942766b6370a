"""What a fork does leaves nothing in this process; one that goes on begins like a new program."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

linux = pytest.mark.skipif(sys.platform != "linux", reason="other systems do not fork")

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


@linux
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


_CHILD = """
import json, logging, os, random, signal, sys, tempfile, time
from pathlib import Path
from mystocks_dagster.processes.fork import fork
from mystocks_dagster.processes.log_lines import use_json

use_json()
signal.signal(signal.SIGTERM, lambda *_: print("the parent's handler"))
signal.signal(signal.SIGINT, lambda *_: print("the parent's handler"))
opened = open(os.devnull)
reading, writing = os.pipe()
looked, looking = os.pipe()
print("said once")

def work():
    {work}
    os.read(looked, 1)

child = fork(work, {title!r}, keep={{writing, looked}}, new_session=True)
os.close(writing)
shown = Path(f"/proc/{{child.pid}}/cmdline").read_text().rstrip(chr(0))
leads = os.getsid(child.pid) == child.pid
os.close(looking)
{meanwhile}
told = os.read(reading, 10_000).decode()
print(json.dumps([child.wait(), child.poll(), told and json.loads(told), shown, leads, random.random()]))
"""


def forked(work: str, tmp_path: Path, title: str = "it", meanwhile: str = "") -> list[Any]:
    """Return exit code, the same again, what the fork has told, its title, and whether it leads a session."""
    done = run(_CHILD.format(work=work, title=title, meanwhile=meanwhile), tmp_path / "notes")
    assert done.stdout.count("said once") == 1, done.stderr
    assert "the parent's handler" not in done.stdout
    return [*json.loads(done.stdout.splitlines()[-1]), done.stderr]


@linux
def test_a_fork_has_nothing_of_its_parent_but_what_it_has_imported(tmp_path: Path) -> None:
    work = """
    found = {name: os.path.realpath(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd")}
    found = {name: path for name, path in found.items() if os.path.exists(f"/proc/self/fd/{name}")}
    handlers = [signal.getsignal(number) == signal.SIG_DFL for number in (signal.SIGINT, signal.SIGTERM)]
    main = sys.modules["__main__"]
    others = [int(name) for name in found if name not in "012"]
    kept = sorted(others) == [writing, looked]
    state = [kept, found["0"], handlers, len(logging.root.handlers), hasattr(main, "work")]
    os.write(writing, json.dumps([state, random.random()]).encode())
    """
    code, again, (state, number), title, leads, own_number, _ = forked(work, tmp_path)
    assert (code, again, title, leads) == (0, 0, "mystocks: it", True)
    assert state == [True, "/dev/null", [True, True], 0, False]
    assert number != own_number


@linux
@pytest.mark.parametrize(
    ("work", "code", "says"),
    [
        ("sys.exit(7)", 7, ""),
        ("sys.exit()", 0, ""),
        ("sys.exit('it cannot')", 1, "it cannot\n"),
        ("1 / 0", 1, "ZeroDivisionError"),
        ("os.kill(os.getpid(), signal.SIGTERM)", -15, ""),
        ("import threading; threading.Timer(0.3, lambda: os.write(writing, b'1')).start()", 0, ""),
    ],
)
def test_it_ends_with_the_code_of_its_work_and_after_its_threads(
    tmp_path: Path, work: str, code: int, says: str
) -> None:
    found = forked(work, tmp_path)
    assert found[0] == code
    assert found[2] == (1 if "threading" in work else "")
    assert says in found[-1]
    assert says or not found[-1]


@linux
def test_a_long_title_is_cut_and_leaves_the_environment_as_it_is(tmp_path: Path) -> None:
    work = "os.write(writing, json.dumps(Path('/proc/self/environ').read_text()).encode())"
    _, _, environment, title, *_ = forked(work, tmp_path, title="x" * 100_000)
    assert set(title.removeprefix("mystocks: ")) == {"x"}
    assert "PATH=" in environment
    assert "xxxx" not in environment


@linux
def test_a_parent_sees_that_it_was_killed(tmp_path: Path) -> None:
    assert forked("time.sleep(60)", tmp_path, meanwhile="running = child.poll() is None; child.kill()")[0] == -9
