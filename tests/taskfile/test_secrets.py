"""Secrets that a task file writes out, or that a task is given: in no output, difference, form or error."""

import base64
import json
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from mystocks_dagster.execution.masking import Mask
from mystocks_dagster.taskfile.edit import writer
from mystocks_dagster.taskfile.problems import Problem
from mystocks_dagster.taskfile.secrets import is_secret, mask, to_public, unmask

SECRET = 'p@ss/wörd+"密"1'
NAMES = [
    "password",
    "db_pass",
    "DB_PASS",
    "dbPass",
    "smtp_pass",
    "pass",
    "passwd",
    "pwd",
    "passphrase",
    "dsn",
    "sentry_dsn",
    "webhook",
    "webhook_url",
    "WebhookURL",
    "authorization",
    "Proxy-Authorization",
    "cookie",
    "cookies",
    "Set-Cookie",
    "private_key",
    "privateKey",
    "ssh_key",
    "access_key",
    "accessKey",
    "aws_secret_access_key",
    "access_key_secret",
    "credential",
    "credentials",
    "sendkey",
    "send_key",
    "SENDKEY",
    "api_key",
    "apikey",
    "X-API-Key",
    "token",
    "tokens",
    "tushare_token",
    "access_tokens",
    "client_secret",
    "corpsecret",
    "appSecret",
    "jwt",
    "auth",
    "basic_auth",
    "password2",
    "token_value",
    "api.key",
    "密码",
    "数据库密码",
    "口令",
    "令牌",
    "访问令牌",
    "密钥",
    "ｐａｓｓｗｏｒｄ",
]
HARMLESS = [
    "max_tokens",
    "total_tokens",
    "bypass",
    "compass",
    "primary_key",
    "sort_key",
    "key",
    "keyword",
    "author",
    "authors",
    "token_url",
    "cookie_path",
    "password_file",
    "passing",
    "tokenizer",
    "secretary",
    "monkey",
    "turkey",
    "hockey",
    "symbols",
    "rows",
    "密码长度",
    "令牌类型",
    "webhooks_enabled",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_is_secret(name: str) -> None:
    assert is_secret(name)
    assert mask({"a": [{name: SECRET}]}) == {"a": [{name: "***"}]}


@pytest.mark.parametrize("name", HARMLESS)
def test_a_name_that_is_not(name: str) -> None:
    assert not is_secret(name)


def forms() -> dict[str, str]:
    raw = SECRET.encode()
    login = {
        f"login of {user}": base64.b64encode(f"{user}:{SECRET}".encode()).decode()
        for user in ("a", "me", "you", "them")
    }
    within = {f"base64 after {n}": base64.b64encode(b"x" * n + raw + b"tail").decode() for n in range(4)}
    safe = {
        f"{name}, urlsafe": text.replace("+", "-").replace("/", "_").rstrip("=")
        for name, text in (login | within).items()
    }
    return {
        "itself": SECRET,
        "percent": quote(SECRET),
        "percent, all of it": quote(SECRET, safe=""),
        "percent, small letters": quote(SECRET, safe="").lower(),
        "form": quote_plus(SECRET),
        "JSON": json.dumps(SECRET),
        "JSON in Chinese": json.dumps(SECRET, ensure_ascii=False),
        "JSON in JSON": json.dumps(json.dumps({"a": SECRET})),
        "repr": repr(SECRET),
        "hexadecimal": raw.hex(),
        "base64": base64.b64encode(raw).decode(),
        "base64, unpadded": base64.b64encode(raw).decode().rstrip("="),
        **login,
        **within,
        **safe,
    }


@pytest.mark.parametrize("form", forms())
def test_no_form_of_a_secret_gets_through(form: str) -> None:
    mask = Mask({"db_pass": SECRET})
    text = forms()[form]
    for told in (
        mask.text(f"sent {text} now"),
        mask.output(f"sent {text} now".encode()).decode(),
        mask.plain({"a": [text]})["a"][0],
    ):
        assert "***" in told
        assert "wörd" not in told
        # Nothing of it is left but the letters around it.
        rest = told.replace("sent ", "").replace(" now", "").replace("***", "")
        assert len(rest) <= max(8, len(text) - len(SECRET)), told


def test_a_short_secret_is_masked_where_it_stands_alone() -> None:
    mask = Mask({"pin_token": 7, "password": "abc", "market": "SH"}, names=["market"])
    assert mask.text("login abc, code=7; abcd 17 rows of SH") == "login ***, code=***; abcd 17 rows of SH"


def test_each_line_of_a_private_key_is_masked() -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG\nq83vEjRWeJq83vEjRWeJ\n-----END KEY-----\n"
    told = Mask({"private_key": key}).output(b"MIIEvQIBADANBgkqhkiG\n").decode()
    assert told == "***\n"


def test_the_password_of_an_address_is_secret_under_any_name() -> None:
    address = "mysql://me:hunter2@db/stocks"
    assert mask({"target": address}) == {"target": "mysql://me:***@db/stocks"}
    assert Mask({"target": address}).text(f"cannot reach {address}") == "cannot reach mysql://me:***@db/stocks"


TASKS = """\
tasks:
  - task_id: a
    task_type: manual
    task_module: m
    task_function: f
    params:
      db_pass: hunter2  # hunter2 since May
      login: {user: me, "口令": 'geheim"1', token: "Bearer ${TOKEN}"}
      target: mysql://me:hunter3@db/stocks
"""


def test_a_difference_shows_no_secret_and_says_when_one_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_check", lambda *_: None)
    path = tmp_path / "tasks.yaml"
    path.write_text(TASKS, encoding="utf-8")
    near = writer.edit_task(path, "a", {"params": {"rows": 5}}, dry_run=True).diff
    assert "+      rows: 5" in near
    changed = writer.edit_task(path, "a", {"params": {"db_pass": "swordfish"}}, dry_run=True)
    removed = writer.remove_task(path, "a", dry_run=True).diff
    for text in (near, changed.diff, removed):
        for secret in ("hunter2", "geheim", "hunter3", "swordfish"):
            assert secret not in text
    assert "-      db_pass: ***" in changed.diff
    assert "+      db_pass: *** (new)" in changed.diff
    assert "swordfish" in changed.after
    assert "Bearer ${TOKEN}" in removed


def test_what_was_shown_comes_back_as_it_was() -> None:
    written = {
        "db_pass": "hunter2",
        "n": {"tokens": ["a-long-token", "Bearer ${T}"]},
        "at": "mysql://me:hunter3@db",
        "rows": 3,
        "pin_token": 7,
    }
    told = to_public(written)
    assert "hunter" not in str(told)
    assert unmask(told, written) == written
    assert unmask({**told, "rows": 4, "db_pass": "new"}, written) == {**written, "rows": 4, "db_pass": "new"}


@pytest.mark.parametrize(
    "line", ["  db_pass: hunter2", '{"口令": "hunter2"}', "  - {a: 1, token: hunter2, b: [", "x: mysql://me:hunter2@db"]
)
def test_an_error_shows_its_line_without_the_secret(line: str) -> None:
    told = Problem(file="tasks.yaml", line=1, column=3, path="", message="wrong").render([line])
    assert "hunter2" not in told
    assert "*******" in told
