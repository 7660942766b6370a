"""A lake on an object store that cannot be used is found before a run needs it."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from support.object_store import object_store

from mystocks_dagster.errors import LakeUnavailable, LakeUnusable
from mystocks_dagster.lake.access import check_access
from mystocks_dagster.lake.delta import open_table

#: Each needs a server.
pytestmark = pytest.mark.slow


class Refusing(BaseHTTPRequestHandler):
    """Answers as S3 does to a user without rights."""

    def _refuse(self) -> None:
        body = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(403)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _refuse

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@pytest.fixture
def refusing() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def use(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


def test_a_bucket_that_works_has_a_file_of_the_machine_and_a_missing_one_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with object_store("lake") as environment:
        use(monkeypatch, environment)
        check_access("s3://lake/market", "first")
        check_access("s3://lake/market/", "第二")
        check_access("s3://lake/market/", "../x")
        check_access("s3://lake/market/", "上海 机器/二")
        with pytest.raises(LakeUnusable, match=r"s3://elsewhere/market cannot be used: there is no such bucket"):
            check_access("s3://elsewhere/market", "first")


def test_a_bucket_without_rights_says_which_variables_to_correct(
    refusing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, {"AWS_ENDPOINT_URL": refusing, "AWS_ACCESS_KEY_ID": "me", "AWS_SECRET_ACCESS_KEY": "no"})
    use(monkeypatch, {"AWS_REGION": "us-east-1", "AWS_ALLOW_HTTP": "true"})
    with pytest.raises(LakeUnusable, match=r"s3://lake/market cannot be used: .*AWS_ACCESS_KEY_ID"):
        check_access("s3://lake/market", "first")


def test_what_a_store_that_refuses_me_says_has_no_codes_of_colours(
    refusing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, {"AWS_ENDPOINT_URL": refusing, "AWS_ACCESS_KEY_ID": "me", "AWS_SECRET_ACCESS_KEY": "no"})
    use(monkeypatch, {"AWS_REGION": "us-east-1", "AWS_ALLOW_HTTP": "true"})
    with pytest.raises(LakeUnusable, match="AccessDenied") as raised:
        open_table("s3://lake/market/daily_bars")
    assert "\x1b" not in str(raised.value)


def test_a_local_folder_is_not_asked(tmp_path: Path) -> None:
    check_access(str(tmp_path / "nowhere"), "first")
    assert not (tmp_path / "nowhere").exists()


def test_a_store_that_does_not_answer_may_do_so_later(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1"})
    use(monkeypatch, {"AWS_ACCESS_KEY_ID": "me", "AWS_SECRET_ACCESS_KEY": "no"})
    with pytest.raises(LakeUnavailable, match="cannot be used") as raised:
        check_access("s3://lake/market", "first")
    assert raised.value.retryable
