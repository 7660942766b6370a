"""The clock and the disks of all processes of a project, which a test sets while they run (`world.c`)."""

import mmap
import os
import shutil
import struct
import subprocess
import time
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")
_SOURCE = Path(__file__).with_name("world.c")
_BYTES = 16


def compiler() -> str | None:
    """Return the C compiler of this machine; without one there is no such world."""
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


class World:
    """One clock and some disks.

    Attributes:
        environment: The variables by which a process and all that it starts live in this world.
    """

    def __init__(self, folder: Path, disks: Iterable[Path]) -> None:
        """Compile the library into `folder`; the disks are those under these folders."""
        folder.mkdir(parents=True, exist_ok=True)
        self.disks = [disk.resolve() for disk in disks]
        library, self._file = folder / "world.so", folder / "world"
        command = [compiler() or "cc", "-O2", "-Wall", "-shared", "-fPIC", "-o", str(library), str(_SOURCE), "-ldl"]
        subprocess.run(command, check=True)
        self._file.write_bytes(bytes(_BYTES))
        self._map = mmap.mmap(os.open(self._file, os.O_RDWR), _BYTES)
        self.environment = {
            "LD_PRELOAD": str(library),
            "WORLD_FILE": str(self._file),
            "WORLD_FOLDERS": ":".join(map(str, self.disks)),
        }

    @property
    def ahead(self) -> timedelta:
        """How much this clock is ahead of the machine's."""
        return timedelta(microseconds=struct.unpack("q", self._map[:8])[0] // 1000)

    def now(self) -> datetime:
        """Return the time in this world."""
        return datetime.fromtimestamp(time.time(), SHANGHAI) + self.ahead

    def set_clock(self, moment: datetime) -> None:
        """Set the clock of all processes, to the future or to the past."""
        ahead = moment - datetime.fromtimestamp(time.time(), SHANGHAI)
        self._map[:8] = struct.pack("q", round(ahead.total_seconds() * 1e6) * 1000)

    def fill(self, disk: Path, full: bool) -> None:
        """Let the disk have no room, or room again."""
        number = 8 + self.disks.index(disk.resolve())
        self._map[number : number + 1] = bytes([full])
