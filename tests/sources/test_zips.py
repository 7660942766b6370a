"""Zips as they arrive after a bad download, or from somebody who means harm."""

import io
import zipfile
from pathlib import Path

import pytest

from mystocks_dagster.sources.zips import DamagedZip, opened_zip


def made(compression: int = zipfile.ZIP_DEFLATED) -> bytearray:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        archive.writestr("sh600000.day", b"0123456789abcdef" * 64)
    return bytearray(buffer.getvalue())


def told(content: bytes) -> str:
    with pytest.raises(DamagedZip) as error:
        read_all(content)
    return str(error.value)


def read_all(content: bytes) -> None:
    with opened_zip(io.BytesIO(content)) as archive:
        for name in archive.namelist():
            archive.read(name)


def test_a_whole_zip_is_read(tmp_path: Path) -> None:
    path = tmp_path / "whole.zip"
    path.write_bytes(made())
    with opened_zip(path) as archive:
        assert len(archive.read("sh600000.day")) == 1024


@pytest.mark.parametrize(
    ("name", "offset", "value", "reason"),
    [
        ("a stated size of four gigabytes", 24, b"\xff\xff\xff\xf0", "cannot have 4,043,309,055 bytes"),
        ("an entry that is longer than the file", 20, b"\xff\xff\xff\x00", "reaches beyond its end"),
        ("an encrypted entry", 8, b"\x01\x00", "encrypted"),
        ("a method that nobody knows", 10, b"\x63\x00", "compression method"),
        ("no name", 28, b"\x00\x00", ""),
    ],
)
def test_a_directory_that_cannot_be_true_is_refused(name: str, offset: int, value: bytes, reason: str) -> None:
    content = made()
    directory = content.index(b"PK\x01\x02")
    content[directory + offset : directory + offset + len(value)] = value
    assert reason in told(bytes(content)), name


def test_damaged_content_is_refused_whatever_the_method() -> None:
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, zipfile.ZIP_STORED):
        content = made(method)
        start = content.index(b"sh600000.day") + len("sh600000.day")
        content[start + 5 : start + 25] = b"\xff" * 20
        assert told(bytes(content))
