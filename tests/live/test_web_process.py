"""The real web process with a token: what comes in, and what is told to whom."""

import base64
import json
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import psutil
import pytest
from support.project import Folder, free_port, make_folder, wait_for
from support.web import COMMAND, web_process
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from mystocks_dagster.instance import home_id

TOKEN = "a long random text"
TASKS = """
    task_packages: [quick]
    tasks:
      - {task_id: load, task_type: manual, task_module: quick, task_function: load}
"""
QUICK = """
    def load(params):
        return {"status": "success"}
"""
MUTATION = "mutation { __typename }"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    folder = make_folder(tmp_path_factory.mktemp("web") / "project")
    folder.write("tasks.yaml", TASKS)
    folder.write("quick.py", QUICK)
    folder.env["MYSTOCKS_API_TOKEN"] = TOKEN
    return folder


@pytest.fixture(scope="module")
def address(folder: Folder) -> Iterator[str]:
    with web_process(folder) as address:
        yield address


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def call(url: str, method: str = "GET", data: bytes | None = None, **headers: str) -> tuple[int, dict[str, str], str]:
    """Return status, headers and text of a call with the token; redirects are not followed."""
    given = {"authorization": f"Bearer {TOKEN}", **{name.replace("_", "-"): value for name, value in headers.items()}}
    request = urllib.request.Request(url, data, {name: value for name, value in given.items() if value}, method=method)
    try:
        with urllib.request.build_opener(_Stay).open(request, timeout=60) as answer:
            return (
                answer.status,
                {name.lower(): value for name, value in answer.headers.items()},
                answer.read().decode(),
            )
    except urllib.error.HTTPError as error:
        return (
            error.code,
            {name.lower(): value for name, value in error.headers.items()},
            error.read().decode("utf-8", "replace"),
        )


def test_who_waits_for_it_learns_that_it_is_this_server_and_nothing_else(address: str, folder: Folder) -> None:
    status, _, text = call(f"{address}/ready", authorization="")
    assert (status, json.loads(text)) == (
        200,
        {"ready": True, "server": "mystocks", "instance": home_id(folder.root / ".dagster")},
    )
    for path in (
        "/",
        "/tasks",
        "/docs",
        "/api/tasks/",
        "/dagster/",
        "/dagster/graphql",
        "/graphql",
        "/dagster/favicon.svg",
        "/server_info",
    ):
        assert call(f"{address}{path}", authorization="")[0] == 401, path


def test_one_address_has_pages_rest_and_dagsters_own_ui(address: str) -> None:
    assert 'href="/market"' in call(f"{address}/")[2]
    assert 'href="/dagster' in call(f"{address}/tasks")[2]
    assert json.loads(call(f"{address}/api/tasks/")[2])[0]["task_id"] == "load"
    assert '"pathPrefix": "/dagster"' in call(f"{address}/dagster/runs")[2]
    query = json.dumps({"query": "{ version }"}).encode()
    for path in ("/dagster/graphql", "/graphql"):
        assert (
            "version" in json.loads(call(f"{address}{path}", "POST", query, content_type="application/json")[2])["data"]
        )
    # Links in messages that were sent before Dagster's UI had a prefix.
    assert call(f"{address}/runs/12?tab=a")[1]["location"] == "/dagster/runs/12?tab=a"
    assert call(f"{address}/dagster")[1]["location"] == "/dagster/"


@pytest.mark.parametrize("path", ["/dagster/graphql", "/graphql", "/dagster/graphql/"])
def test_graphql_changes_nothing_by_get_nor_by_what_a_form_can_send(address: str, path: str) -> None:
    url = f"{address}{path}"
    for query in (
        MUTATION,
        f"query a {{ version }} {MUTATION}",
        "mutation a { __typename } query b { version }",
        "subscription { a }",
    ):
        assert call(f"{url}?query={quote(query)}")[0] == 405, query
    assert call(f"{url}?query={quote('{ version }')}&query={quote(MUTATION)}")[0] == 405
    body = json.dumps({"query": MUTATION}).encode()
    kinds = (
        "text/plain",
        "text/plain; application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "application/graphql",
    )
    for kind in kinds:
        assert call(url, "POST", body, content_type=kind)[0] == 415, kind
    assert call(f"{url}?query={quote(MUTATION)}", "POST", b"", content_type="text/plain")[0] == 415
    if not path.endswith("/"):
        assert json.loads(call(f"{url}?query={quote('{ version }')}", accept="*/*")[2])["data"]["version"]
        status, _, text = call(url, "POST", body, content_type="application/json; charset=utf-8")
        assert (status, json.loads(text)["data"]) == (200, {"__typename": "Mutation"})


def test_another_sites_page_asks_nothing_of_graphql_but_its_links_work(address: str) -> None:
    link = {
        "sec_fetch_site": "cross-site",
        "sec_fetch_mode": "navigate",
        "sec_fetch_dest": "document",
        "accept": "text/html",
    }
    assert call(f"{address}/dagster/runs", **link)[0] == 200
    assert call(f"{address}/tasks", **link)[0] == 200
    assert call(f"{address}/dagster/graphql?query={quote('{ version }')}", **link)[0] == 403
    for dest, mode in (("image", "no-cors"), ("iframe", "navigate"), ("script", "no-cors"), ("empty", "cors")):
        headers = {"sec_fetch_site": "same-site", "sec_fetch_mode": mode, "sec_fetch_dest": dest}
        assert call(f"{address}/dagster/runs", **headers)[0] == 403, dest


def test_every_answer_says_what_browsers_may_do_with_it(address: str) -> None:
    json_body = {"content_type": "application/json"}
    answers = {
        "page": call(f"{address}/tasks"),
        "no page": call(f"{address}/tasks/none"),
        "REST": call(f"{address}/api/tasks/"),
        "docs": call(f"{address}/docs"),
        "redirect": call(f"{address}/"),
        "no token": call(f"{address}/tasks", authorization=""),
        "foreign": call(f"{address}/api/tasks/load/start", "POST", b"", origin="https://evil.example"),
        "too large": call(f"{address}/api/tasks/register", "POST", b"x", content_length="1000001", **json_body),
        "wrong": call(f"{address}/api/tasks/register", "POST", b"{", **json_body),
        "Dagster": call(f"{address}/dagster/"),
        "GraphQL": call(f"{address}/dagster/graphql", "POST", b'{"query": "{version}"}', **json_body),
        "GraphQL's editor": call(f"{address}/dagster/graphql", accept="text/html"),
        "refused": call(f"{address}/dagster/graphql?query={quote(MUTATION)}"),
    }
    expected = {
        "page": 200,
        "no page": 404,
        "no token": 401,
        "foreign": 403,
        "too large": 413,
        "refused": 405,
        "GraphQL's editor": 200,
    }
    assert {name: answers[name][0] for name in expected} == expected
    for name, (_, headers, _) in answers.items():
        assert headers["x-content-type-options"] == "nosniff", name
        assert headers["cache-control"] == "no-store", name
        assert headers["x-frame-options"] == "DENY", name
        assert headers["referrer-policy"] == "same-origin", name
        assert "frame-ancestors 'none'" in headers["content-security-policy"], name
    script = next(
        part for part in answers["Dagster"][2].split('"') if part.startswith("/dagster/_next/static/chunks/main")
    )
    _, headers, _ = call(f"{address}{script}")
    assert headers["x-content-type-options"] == "nosniff"
    assert "immutable" in headers["cache-control"]


def test_websockets_want_the_token_and_a_page_of_this_server(address: str) -> None:
    url = f"ws{address.removeprefix('http')}"
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    for path in ("/dagster/graphql", "/graphql"):
        for headers, origin in (
            ({}, None),
            (bearer, "https://evil.example"),
            (bearer, "null"),
            (bearer, "http://127.0.0.1:1"),
            ({}, address),
        ):
            with pytest.raises(InvalidStatus) as refused:
                connect(f"{url}{path}", additional_headers=headers, origin=origin, subprotocols=["graphql-ws"])
            assert refused.value.response.status_code == 403
        for origin in (None, address):
            with connect(
                f"{url}{path}", additional_headers=bearer, origin=origin, subprotocols=["graphql-ws"]
            ) as websocket:
                websocket.send(json.dumps({"type": "connection_init"}))
                assert json.loads(websocket.recv(30))["type"] == "connection_ack"


def test_a_browser_that_gave_the_password_gets_a_cookie_that_opens_websockets_only(address: str) -> None:
    password = "Basic " + base64.b64encode(f"me:{TOKEN}".encode()).decode()
    cookie = call(f"{address}/tasks", authorization=password)[1]["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    value = cookie.partition(";")[0]
    assert "set-cookie" not in call(f"{address}/tasks", authorization=password, cookie=value)[1]
    assert "set-cookie" not in call(f"{address}/tasks")[1], "a program needs none"
    url = f"ws{address.removeprefix('http')}/dagster/graphql"
    with connect(url, additional_headers={"Cookie": value}, origin=address, subprotocols=["graphql-ws"]):
        pass
    assert call(f"{address}/tasks", authorization="", cookie=value)[0] == 401
    name, _, signed = value.partition("=")
    expires, _, signature = signed.partition(".")
    for forged in (f"{int(expires) + 1}.{signature}", f"{expires}.", signature, "9" * 30, "é.ü"):
        with pytest.raises(InvalidStatus):
            connect(url, additional_headers={"Cookie": f"{name}={forged}"}, origin=address, subprotocols=["graphql-ws"])


def test_what_cannot_be_served_is_said_in_one_line(folder: Folder) -> None:
    def serve(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        bare = {name: value for name, value in folder.environment.items() if name != "MYSTOCKS_API_TOKEN"}
        return subprocess.run(
            [*COMMAND, *arguments],
            cwd=folder.root,
            env=bare | env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        taken = serve("--port", str(holder.getsockname()[1]))
    assert (taken.returncode, taken.stderr.count("\n")) == (1, 1)
    assert "--port" in taken.stderr
    strangers = serve("--host", "0.0.0.0")
    assert (strangers.returncode, strangers.stderr.count("\n")) == (1, 1)
    assert "MYSTOCKS_API_TOKEN" in strangers.stderr


def test_it_ends_with_whoever_started_it(folder: Folder) -> None:
    port = free_port()
    script = (
        f"import subprocess, time; print(subprocess.Popen({[*COMMAND, '--port', str(port)]!r}).pid, flush=True);"
        " time.sleep(600)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script], cwd=folder.root, env=folder.environment, stdout=subprocess.PIPE, text=True
    )
    child = psutil.Process(int(parent.stdout.readline()))

    def up() -> bool:
        try:
            return call(f"http://127.0.0.1:{port}/ready")[0] == 200
        except OSError:
            return False

    wait_for(up, 120, "the web process")
    parent.kill()
    parent.wait()
    wait_for(lambda: not child.is_running(), 30, "the end of the web process")
