"""Dagster's code server gets the process with the project's code from a forker, and sees it as its own child."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="used on Linux only")]

#: A process that takes its forker as a code server does; what it prints last is the test's.
_PROGRAM = """
import json, os, subprocess, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import loaded_before
from mystocks_dagster.gc_tuning import tune_gc
from mystocks_dagster.processes import code_process
from mystocks_dagster.processes.forker import keep_forker

tune_gc()  # as the command that starts the servers does
forker = keep_forker("mystocks_dagster.processes.code_process:serve", "fork server")
from dagster._grpc import server
plain = subprocess.Popen([sys.executable, "-c", ""]).__class__
code_process.fork_it()

def opened(*arguments, environment=None):
    command = [sys.executable, "-m", "dagster", *arguments]
    return server.open_ipc_subprocess(command, cwd=None, env={{**os.environ, **(environment or {{}})}})

{work}
"""


def run(work: str, folder: Path) -> Any:
    (folder / "loaded_before.py").write_text("VALUE = 1\n", encoding="utf-8")
    program = _PROGRAM.format(work=work)
    done = subprocess.run([sys.executable, "-c", program, str(folder)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_it_is_a_fork_whose_end_and_exit_code_are_seen(tmp_path: Path) -> None:
    work = """
process = opened("api", "grpc", "--no-such-option")
code = process.wait(60)
print(json.dumps([isinstance(process, plain), code, process.poll(), process.returncode]))
"""
    assert run(work, tmp_path) == [False, 2, 2, 2]


def test_it_serves_until_it_is_ended(tmp_path: Path) -> None:
    work = """
path = str(Path(sys.argv[1], "socket"))
process = opened("api", "grpc", "--socket", path, "--python-file", str(Path(sys.argv[1], "of_the_project.py")),
    environment={"OF_THE_DAY": "wind"})
while not Path(sys.argv[1], "loaded").exists():
    assert process.poll() is None
    time.sleep(0.05)
try:
    process.wait(0.1)
    late = False
except subprocess.TimeoutExpired:
    late = True
title = Path(f"/proc/{process.pid}/cmdline").read_text().rstrip(chr(0))
same_group = os.getpgid(process.pid) == os.getpgrp()
process.kill()
print(json.dumps([late, title, same_group, process.wait(60), Path(sys.argv[1], "loaded").read_text()]))
"""
    (tmp_path / "of_the_project.py").write_text(
        "import dagster as dg, gc, os\nfrom pathlib import Path\n"
        'Path(__file__).with_name("part").write_text(f\'{os.environ["OF_THE_DAY"]} {gc.get_threshold()}\')\n'
        'Path(__file__).with_name("part").rename(Path(__file__).with_name("loaded"))\ndefs = dg.Definitions()\n',
        encoding="utf-8",
    )
    assert run(work, tmp_path) == [
        True,
        "mystocks: code process",
        True,
        -9,
        "wind (5000, 10, 10)",  # a server that collects as rarely as a command keeps a gigabyte of garbage
    ]


@pytest.mark.parametrize(
    "change",
    [
        'Path(sys.argv[1], "loaded_before.py").write_text("VALUE = 22")',
        "forker.process.kill()",
        "sys.executable += '3'",
    ],
    ids=["upgraded code", "a killed forker", "another interpreter"],
)
def test_otherwise_dagster_starts_an_interpreter(tmp_path: Path, change: str) -> None:
    work = f"""
{change}
process = opened("api", "grpc", "--no-such-option")
print(json.dumps([isinstance(process, plain), process.wait(60)]))
"""
    assert run(work, tmp_path)[0] is True
