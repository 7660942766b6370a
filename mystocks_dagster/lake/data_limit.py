"""A limit of what this process may take: DuckDB does not count answers and long texts."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

_STATUS = Path("/proc/self/status")
#: Bytes that libraries need beside what DuckDB counts. Those in Rust end the whole process where they get no memory.
_BESIDE = 300_000_000


@contextmanager
def limited_data(memory: int) -> Generator[None]:
    """Let the process take only so many bytes beside what it has, and what the libraries need to read tables.

    All that the block imports or opens counts too, so it should do that before. Without effect where the system has
    no such limit (macOS, Windows).
    """
    if not _STATUS.exists():
        yield
        return
    import resource

    fields = dict(line.split(":", 1) for line in _STATUS.read_text(encoding="utf-8").splitlines() if ":" in line)
    before, most = resource.getrlimit(resource.RLIMIT_DATA)
    limit = int(fields["VmData"].split()[0]) * 1024 + memory + _BESIDE
    resource.setrlimit(resource.RLIMIT_DATA, (min(limit, most) if most >= 0 else limit, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (before, most))
