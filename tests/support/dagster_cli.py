"""Dagster's own commands, `dagster` and `dg`, as real processes of this environment."""

import subprocess
import sys
from pathlib import Path


def dagster_command(name: str, *arguments: str, cwd: Path, env: dict[str, str], code: int = 0) -> str:
    """Run one of Dagster's commands and return what it printed; check its exit code."""
    program = Path(sys.executable).parent / name
    done = subprocess.run(
        [str(program), *arguments], cwd=cwd, env=env, capture_output=True, text=True, timeout=170, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr
