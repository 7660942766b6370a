"""The members of a 通达信 archive: its `.day` files in a zip or folder, each with symbol, table and price scale."""

import os
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mystocks_dagster.errors import SourceChanged
from mystocks_dagster.market.symbols import is_a_share, is_b_share, is_fund
from mystocks_dagster.sources.zips import DAMAGED, DamagedZip, opened_zip

#: Bytes of a record.
RECORD_BYTES = 32
_NAME = re.compile(r"(?:^|[/\\])(?P<exchange>sh|sz|bj)(?P<code>[0-9]{6})\.day$", re.IGNORECASE)
_INDICES = (("SH", "000"), ("SZ", "399"), ("BJ", "899"))
#: Units of a price per CNY: funds have three decimals.
_SHARES, _FUNDS = 100, 1000
#: Old closed-end funds of Shenzhen.
_CLOSED_END = ("SZ", "18")
_LOCAL_HEADER = 30
#: Bytes that the name and further fields of an entry seldom exceed.
_NEAR = 256


@dataclass(frozen=True, kw_only=True)
class Member:
    """A `.day` file.

    Attributes:
        name: Its name in the archive.
        symbol: The canonical symbol.
        table: The table of its rows.
        scale: Units of a price per CNY (or per point of an index).
        size: Bytes when unpacked.
        read: Reads its content into a buffer of that size.
    """

    name: str
    symbol: str
    table: str
    scale: int
    size: int
    read: Callable[[memoryview], None] = field(repr=False, compare=False)

    @property
    def records(self) -> int:
        """The number of whole records."""
        return self.size // RECORD_BYTES


@dataclass(frozen=True)
class Members:
    """The members to read by table and symbol, and how many of which kind are not read.

    Attributes:
        members: Sorted by table and symbol.
        left_out: Number of files by kind, such as B shares.
    """

    members: Sequence[Member]
    left_out: Counter[str]

    def of(self, tables: Iterable[str]) -> list[Member]:
        """Return the members of those tables."""
        wanted = set(tables)
        return [member for member in self.members if member.table in wanted]


def classify(name: str) -> tuple[str, str, int] | str | None:
    """Return symbol, table and price scale by a file's name; a word for a kind that is not read; None if it is no bar.

    The exchange is part of the name, so `sh000001` is an index and `sz000001` a bank.
    """
    match = _NAME.search(name)
    if match is None:
        return None
    exchange, code = match["exchange"].upper(), match["code"]
    symbol = f"{code}.{exchange}"
    if (exchange, code[:3]) in _INDICES:
        return symbol, "index_bars", _SHARES
    if is_a_share(symbol):
        return symbol, "daily_bars", _SHARES
    if is_fund(symbol) or (exchange, code[:2]) == _CLOSED_END:
        return symbol, "etf_bars", _FUNDS
    if is_b_share(symbol):
        return "B shares"
    if exchange == "SH" and code[:3] in ("880", "881"):
        return "boards of 通达信"
    return "bonds and others"


def zip_members(path: Path) -> Members:
    """Return the members of a zip such as `hsjday.zip`.

    Raises:
        SourceChanged: It is not a complete zip, or has no `.day` file.
    """
    try:
        with opened_zip(path) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
    except DamagedZip as error:
        raise SourceChanged(f"{path} is not a complete zip ({error}); delete it and load it again.") from error
    return _members(path, [(info.filename, info.file_size, _ZipEntry(path, info)) for info in infos])


def folder_members(folder: Path) -> Members:
    """Return the members of a folder and its subfolders, such as `vipdoc` of an installed client.

    Raises:
        SourceChanged: It has no `.day` file.
    """
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() == ".day" and path.is_file())
    return _members(
        folder, [(f"{path.relative_to(folder)}", path.stat().st_size, _FolderEntry(path)) for path in files]
    )


def _members(path: Path, entries: Iterable[tuple[str, int, Callable[[memoryview], None]]]) -> Members:
    members: dict[str, Member] = {}
    left_out: Counter[str] = Counter()
    for name, size, read in entries:
        kind = classify(name)
        if isinstance(kind, str):
            left_out[kind] += 1
        elif kind is not None:
            symbol, table, scale = kind
            if symbol in members:
                raise SourceChanged(
                    f"{path} has {symbol} twice: {members[symbol].name} and {name}; remove one of them."
                )
            members[symbol] = Member(name=name, symbol=symbol, table=table, scale=scale, size=size, read=read)
    if not members:
        raise SourceChanged(f"{path} has no files such as sh600000.day; name a 通达信 archive, or the folder vipdoc.")
    return Members(sorted(members.values(), key=lambda member: (member.table, member.symbol)), left_out)


@dataclass(frozen=True)
class _FolderEntry:
    path: Path

    def __call__(self, buffer: memoryview) -> None:
        with self.path.open("rb") as file:
            size = file.readinto(buffer)
        if size != len(buffer):
            raise SourceChanged(f"{self.path} became shorter while it was read; read it again.")


class _ZipEntry:
    """Reads one entry of a zip; several threads may read at once, since zlib releases the interpreter's lock."""

    def __init__(self, path: Path, info: zipfile.ZipInfo) -> None:
        self._path = path
        self._info = info

    def __call__(self, buffer: memoryview) -> None:
        info = self._info
        try:
            content = self._inflated()
        except DAMAGED as error:
            raise self._damaged(f"{error}") from error
        if len(content) != info.file_size or zlib.crc32(content) != info.CRC:
            raise self._damaged("its checksum is wrong")
        # numpy gives up the interpreter's lock while it copies; a memoryview would let the other thread wait.
        np.copyto(np.frombuffer(buffer, np.uint8), np.frombuffer(content, np.uint8))

    def _inflated(self) -> bytes | memoryview:
        info = self._info
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or info.flag_bits & 1:
            with zipfile.ZipFile(self._path) as archive:
                return archive.read(info)
        file = os.open(self._path, os.O_RDONLY)  # a Python file object takes longer to open than its entry to read
        try:
            near = os.pread(file, _LOCAL_HEADER + _NEAR + info.compress_size, info.header_offset)
            start = _LOCAL_HEADER + sum(int.from_bytes(near[at : at + 2], "little") for at in (26, 28))
            packed = memoryview(near)[start : start + info.compress_size]
            if len(packed) < info.compress_size:
                packed = os.pread(file, info.compress_size, info.header_offset + start)
        finally:
            os.close(file)
        if info.compress_type == zipfile.ZIP_STORED:
            return packed
        return zlib.decompress(packed, -zlib.MAX_WBITS, max(info.file_size, 1))

    def _damaged(self, reason: str) -> SourceChanged:
        return SourceChanged(
            f"{self._path}: {self._info.filename} is damaged ({reason}); delete the zip and load it again."
        )
