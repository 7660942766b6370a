"""A download that breaks off goes on where it ended."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from standin.dumps import STORAGE_HOST, DumpServer

from mystocks_dagster.errors import LakeUnavailable, SourceUnavailable
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.download import Download, Refused
from mystocks_dagster.sources.transport import RetrySettings

CONTENT = bytes(range(256)) * 1000
HASTE = RetrySettings(timeout=(1, 5), backoff=0.01, gaps=False)


@pytest.fixture(scope="module")
def running() -> Iterator[DumpServer]:
    with DumpServer({"file": CONTENT}) as server:
        yield server


@pytest.fixture
def server(running: DumpServer) -> DumpServer:
    running.reset()
    running.files["file"] = CONTENT
    running.issued = 1
    return running


@pytest.fixture
def download(server: DumpServer, tmp_path: Path) -> Download:
    settings = replace(Settings.from_env(tmp_path), upstream=server.address)
    url = f"https://{STORAGE_HOST}/file?signature=s1"
    return Download(url=url, target=tmp_path / "downloads" / "file", settings=settings, retry=HASTE)


def ranges(server: DumpServer) -> list[str]:
    return [span for _, _, span in server.asked]


def test_a_file_arrives_whole_and_leaves_nothing_else(download: Download, server: DumpServer):
    steps: list[tuple[int, int, str]] = []
    path = replace(download, progress=lambda *step: steps.append(step)).run()
    assert path.read_bytes() == CONTENT
    assert list(path.parent.iterdir()) == [path]
    assert steps[-1][:2] == (len(CONTENT), len(CONTENT))
    assert server.asked[0][0] == STORAGE_HOST


def test_a_broken_download_goes_on_where_it_ended(download: Download, server: DumpServer):
    server.fault("cut", 100_000, times=1)
    server.fault("cut", 50_000, times=1)
    assert download.run().read_bytes() == CONTENT
    assert ranges(server) == ["", "bytes=100000-", "bytes=150000-"]


def test_what_an_ended_process_received_is_not_received_again(download: Download, server: DumpServer):
    server.fault("cut", 100_000, times=1)
    server.fault("busy")
    with pytest.raises(SourceUnavailable, match=r"HTTP 503 .*100,000 bytes are kept; the next attempt continues"):
        download.run()
    assert not download.target.exists()
    server.reset()
    assert download.run().read_bytes() == CONTENT
    assert ranges(server) == ["bytes=100000-"]


def test_a_file_that_has_changed_meanwhile_is_received_from_its_beginning(download: Download, server: DumpServer):
    server.fault("cut", 100_000, times=1)
    server.fault("busy")
    with pytest.raises(SourceUnavailable):
        download.run()
    server.reset()
    server.version, server.files["file"] = 2, CONTENT[::-1]
    assert download.run().read_bytes() == CONTENT[::-1]


def test_a_server_that_sends_a_little_each_time_is_not_given_up(download: Download, server: DumpServer):
    server.fault("cut", 40_000, times=6)
    assert download.run().read_bytes() == CONTENT
    assert len(server.asked) == 7


def test_a_refusal_is_raised_at_once_and_no_message_has_the_signature(download: Download, server: DumpServer):
    server.fault("expired", times=1)
    with pytest.raises(Refused, match=rf"{STORAGE_HOST}/file answered HTTP 403") as refusal:
        download.run()
    assert refusal.value.http_status == 403
    assert "s1" not in str(refusal.value)
    assert len(server.asked) == 1


def test_a_folder_that_is_a_file_is_named(download: Download, tmp_path: Path):
    (tmp_path / "downloads").write_text("")
    with pytest.raises(LakeUnavailable, match=r"downloads/file\.part cannot be written"):
        download.run()
