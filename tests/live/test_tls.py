"""The recipe for TLS in docs/security.md, in a real nginx before the real web process."""

import json
import re
import shutil
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.project import ROOT, free_port, make_folder, wait_for
from support.web import web_process
from websockets.sync.client import connect

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin")
TOKEN = "a long random text"
TASKS = """
    task_packages: [quick]
    tasks:
      - {task_id: load, task_type: manual, task_module: quick, task_function: load}
"""

pytestmark = pytest.mark.skipif(NGINX is None or shutil.which("openssl") is None, reason="no nginx or no openssl here")


@dataclass
class Front:
    """The server with TLS: its port, the port without TLS, and what a client needs to trust it."""

    port: int
    plain: int
    trust: ssl.SSLContext


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    root = tmp_path_factory.mktemp("tls")
    folder = make_folder(root / "project")
    folder.write("tasks.yaml", TASKS)
    folder.write("quick.py", "def load(params):\n    return None\n")
    folder.env["MYSTOCKS_API_TOKEN_FILE"] = str(folder.write("token", TOKEN + "\n"))
    certificate(root)
    with web_process(folder) as address:
        front = Front(free_port(), free_port(), ssl.create_default_context(cafile=root / "stocks.pem"))
        (root / "nginx.conf").write_text(configuration(root, address, front), encoding="utf-8")
        command = [NGINX or "nginx", "-p", str(root), "-c", str(root / "nginx.conf"), "-g", "daemon off;"]
        nginx = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=(root / "nginx.log").open("wb"))
        try:
            wait_for(lambda: answers(front), 30, "nginx")
            yield front
        finally:
            nginx.terminate()
            nginx.wait(20)


def certificate(root: Path) -> None:
    """Make a certificate for localhost that signs itself."""
    name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(root / "stocks.key"), "-out", str(root / "stocks.pem")]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *name, *files]
    subprocess.run(command, check=True, capture_output=True)


def configuration(root: Path, address: str, front: Front) -> str:
    """Return the lines of the documentation, with the names, ports and files of this test."""
    text = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    (recipe,) = re.findall(r"```nginx\n(.*?)```", text, re.DOTALL)
    for written, here in {
        "listen 443 ssl": f"listen 127.0.0.1:{front.port} ssl",
        "listen 80": f"listen 127.0.0.1:{front.plain}",
        "stocks.example.org": "localhost",
        "/etc/ssl/": f"{root}/",
        "http://127.0.0.1:3000": address,
        "https://$host$": f"https://$host:{front.port}$",
    }.items():
        assert written in recipe, written
        recipe = recipe.replace(written, here)
    folders = "".join(
        f"{kind}_temp_path {root}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return f"pid {root}/pid;\nerror_log {root}/error.log;\nevents {{}}\nhttp {{\naccess_log off;\n{folders}{recipe}}}\n"


def answers(front: Front) -> bool:
    try:
        return bool(call(front, "/ready"))
    except OSError:
        return False


def call(front: Front, path: str, scheme: str = "https", **headers: str) -> str:
    """Return the answer to a call at that path."""
    port = front.port if scheme == "https" else front.plain
    given = {"authorization": f"Bearer {TOKEN}", **headers}
    request = urllib.request.Request(f"{scheme}://localhost:{port}{path}", headers=given)
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=front.trust)
    )
    with opener.open(request, timeout=30) as answer:
        assert answer.url.startswith("https://")
        assert answer.headers["strict-transport-security"]
        return answer.read().decode()


def test_pages_and_rest_are_served_over_tls_and_a_form_of_this_site_is_its_own(front: Front) -> None:
    assert [one["task_id"] for one in json.loads(call(front, "/api/tasks/"))] == ["load"]
    assert "load" in call(front, "/tasks", origin=f"https://localhost:{front.port}")


def test_an_address_without_tls_leads_to_the_one_with_it(front: Front) -> None:
    assert json.loads(call(front, "/ready", scheme="http"))["ready"]


def test_a_guesser_does_not_shut_another_out_by_naming_his_address(front: Front) -> None:
    named = {"x-forwarded-for": "203.0.113.7"}
    statuses = []
    for number in range(11):
        with pytest.raises(urllib.error.HTTPError) as refused:
            call(front, "/api/tasks/", authorization=f"Bearer guess {number}", **named)
        statuses.append(refused.value.code)
    assert statuses == [401] * 11  # nginx names loopback, where this test is, whatever was sent
    assert call(front, "/api/tasks/", **named)


def test_websockets_of_dagsters_ui_go_through(front: Front) -> None:
    with connect(
        f"wss://localhost:{front.port}/dagster/graphql",
        additional_headers={"authorization": f"Bearer {TOKEN}"},
        origin=f"https://localhost:{front.port}",
        subprotocols=["graphql-ws"],
        ssl=front.trust,
    ) as websocket:
        websocket.send(json.dumps({"type": "connection_init"}))
        assert json.loads(websocket.recv(30))["type"] == "connection_ack"
