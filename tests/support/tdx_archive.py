"""通达信 archives made byte by byte: `.day` files in a zip, in a folder, or as an installed client has them."""

import struct
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

#: Date YYYYMMDD, open, high, low, close, amount, volume, reserved; prices in units of the file.
Record = tuple[int, int, int, int, int, float, int, int]


def record(day: int, close: int, *, volume: int = 10_000, reserved: int = 65_536, scale: int = 100) -> Record:
    """Return a plausible record that closes at `close` units."""
    return (day, close, close + 2, max(1, close - 2), close, volume * close / scale, volume, reserved)


def day_file(records: Iterable[Record]) -> bytes:
    """Return the bytes of a `.day` file."""
    return b"".join(struct.pack("<IIIIIfII", *values) for values in records)


def write_zip(path: Path, files: Mapping[str, bytes], *, compression: int = zipfile.ZIP_DEFLATED) -> Path:
    """Write a zip with those members."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def write_client(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write the files as an installed client keeps them, and return its folder `vipdoc`."""
    for name, content in files.items():
        path = folder / "vipdoc" / name[:2] / "lday" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder / "vipdoc"
