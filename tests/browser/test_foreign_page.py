"""A page of another site, open in a real Chromium on the machine of `mystocks ui`, tries all that it can in vain."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote

import pytest
from browser.chromium import PATIENCE, executable, open_page
from playwright.sync_api import Page, Request, Response, expect
from support.project import Server, make_folder, serve

if executable() is None:
    pytest.skip(
        "no Chromium on this machine (Debian: apt install chromium): the browser tests do not run",
        allow_module_level=True,
    )

pytestmark = pytest.mark.timeout(400)
expect.set_options(timeout=PATIENCE)

TASKS = """
    task_packages: [quick]
    tasks:
      - {task_id: load, task_type: manual, task_module: quick, task_function: load}
"""
QUICK = """
    from pathlib import Path

    def load(params):
        Path("started").touch()
        return {"status": "success"}
"""
LAUNCH = """mutation { launchRun(executionParams: {
  selector: {repositoryLocationName: "mystocks", repositoryName: "__repository__", jobName: "load"}, runConfigData: {}
}) { __typename } }"""
#: Names that lead to this machine, as an attacker's name server may say of any name.
NAMES = ("evil.test", "rebound.test")
EMPTY = "<!doctype html><title>another site</title><body></body>"


@contextmanager
def another_site() -> Iterator[int]:
    """Serve an empty page; yield the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(EMPTY.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = make_folder(tmp_path_factory.mktemp("door") / "project")
    folder.write("tasks.yaml", TASKS)
    folder.write("quick.py", QUICK)
    with serve(folder) as server:
        yield server


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    rules = ", ".join(f"MAP {name} 127.0.0.1" for name in NAMES)
    # Newer Chromiums ask before a page may reach its own machine; others' browsers do not.
    arguments = [f"--host-resolver-rules={rules}", "--disable-features=LocalNetworkAccessChecks"]
    with open_page(arguments=arguments) as page:
        yield page


def runs(server: Server) -> int:
    return len(server.graphql("{ runsOrError { ... on Runs { results { runId } } } }")["runsOrError"]["results"])


#: What a page can send without asking the other server first, each as a promise that settles when it is answered.
TRICKS = {
    "image": "new Promise(done => { const one = new Image(); one.onload = one.onerror = done; one.src = at.get; })",
    "script": """new Promise(done => { const one = document.createElement('script'); one.onload = one.onerror = done;
        one.src = at.get; document.body.append(one); })""",
    "frame": """new Promise(done => { const one = document.createElement('iframe'); one.onload = one.onerror = done;
        one.src = at.get; document.body.append(one); })""",
    "fetch by GET": "fetch(at.get, {mode: 'no-cors', credentials: 'include'}).catch(() => 0)",
    "fetch of text": """fetch(at.graphql, {method: 'POST', mode: 'no-cors', credentials: 'include',
        headers: {'content-type': 'text/plain'}, body: at.body}).catch(() => 0)""",
    "fetch of text that calls itself JSON": """fetch(at.graphql, {
        method: 'POST', mode: 'no-cors', credentials: 'include',
        headers: {'content-type': 'text/plain; application/json'}, body: at.body}).catch(() => 0)""",
    "fetch with the query in the address": "fetch(at.get, {method: 'POST', mode: 'no-cors'}).catch(() => 0)",
    "fetch of JSON": """fetch(at.graphql, {
        method: 'POST', headers: {'content-type': 'application/json'}, body: at.body}).catch(() => 0)""",
    "form": """new Promise(done => { const frame = document.createElement('iframe'); frame.name = 'target';
        document.body.append(frame); const form = document.createElement('form');
        Object.assign(form, {method: 'POST', action: at.get, target: 'target', enctype: 'text/plain'});
        document.body.append(form); frame.onload = done; form.submit(); })""",
    "REST": "fetch(at.rest, {method: 'POST', mode: 'no-cors'}).catch(() => 0)",
    "page's form": """fetch(at.page, {
        method: 'POST', mode: 'no-cors', body: new URLSearchParams({only: 'on'})}).catch(() => 0)""",
}


def addresses(base: str) -> dict[str, str]:
    """Return where a run can be started."""
    return {
        "graphql": f"{base}/dagster/graphql",
        "get": f"{base}/dagster/graphql?query={quote(LAUNCH)}",
        "rest": f"{base}/api/tasks/load/start",
        "page": f"{base}/tasks/load/run",
        "body": json.dumps({"query": LAUNCH}),
    }


@pytest.mark.parametrize("site", ["another site", "another port of this machine"])
def test_a_page_of_another_site_starts_nothing(server: Server, page: Page, site: str) -> None:
    answers: dict[str, set[int | str]] = {}
    now = ""

    def note(response: Response) -> None:
        if response.url.startswith(server.address):
            answers.setdefault(now, set()).add(response.status)

    def note_failure(request: Request) -> None:
        if request.url.startswith(server.address):
            answers.setdefault(now, set()).add(request.failure or "")

    before = runs(server)
    page.on("response", note)
    page.on("requestfailed", note_failure)
    with another_site() as port:
        page.goto(f"http://{'evil.test' if site == 'another site' else '127.0.0.1'}:{port}/")
        for trick, script in TRICKS.items():
            now = trick
            page.evaluate(f"at => {script}.then(() => 0)", addresses(server.address))
        sockets = page.evaluate(
            """address => new Promise(done => { const one = new WebSocket(address, 'graphql-ws');
               one.onopen = () => done('open'); one.onclose = () => done('refused'); })""",
            f"ws{server.dagster.removeprefix('http')}/graphql",
        )
        now = "a window of its own"
        with page.expect_popup() as popup:
            page.evaluate("at => { window.open(at.get); }", addresses(server.address))
        popup.value.wait_for_load_state()
        # A window shows Dagster's editor, which sends nothing by itself; Chromium sends it without another word.
        popup.value.close()
    page.remove_listener("response", note)
    page.remove_listener("requestfailed", note_failure)
    assert sockets == "refused"
    for trick in TRICKS:
        # What a page may not read it does not even see as an answer; a refused preflight is no answer either.
        refused = {403, "net::ERR_BLOCKED_BY_RESPONSE", "net::ERR_BLOCKED_BY_RESPONSE.NotSameOrigin", "net::ERR_FAILED"}
        assert answers[trick] <= refused, (trick, answers)
    assert runs(server) == before
    assert not (server.folder.root / "started").exists()


def test_a_name_that_is_made_to_lead_here_is_not_answered(server: Server, page: Page) -> None:
    before, base = runs(server), server.address.replace("127.0.0.1", "rebound.test")
    for path in ("/dagster/", "/tasks", "/api/tasks/", "/docs", "/graphql"):
        assert page.goto(f"{base}{path}").status == 403
    # The name led to the attacker's server when the page was loaded, and leads here when its script asks: one site,
    # for a browser.
    page.route(f"{base}/page", lambda route: route.fulfill(body=EMPTY, content_type="text/html"))
    page.goto(f"{base}/page")
    status = page.evaluate(
        """at => fetch('/dagster/graphql', {
                   method: 'POST', headers: {'content-type': 'application/json'}, body: at.body})
               .then(answer => answer.status)""",
        addresses(base),
    )
    assert status == 403
    assert runs(server) == before


def test_a_link_of_another_site_opens_the_pages_and_they_can_not_be_framed(server: Server, page: Page) -> None:
    with another_site() as port:
        page.goto(f"http://evil.test:{port}/")
        for path in ("/tasks", "/dagster/runs", "/runs"):
            with page.expect_popup() as popup:
                page.evaluate("address => { window.open(address); }", f"{server.address}{path}")
            expect(popup.value).to_have_url(f"{server.address}{path if path != '/runs' else '/dagster/runs'}")
            assert popup.value.title()
            popup.value.close()
        for path in ("/tasks", "/dagster/", "/docs"):
            with page.expect_event("requestfailed") as refused:
                page.evaluate(
                    "address => { const frame = document.createElement('iframe'); frame.src = address; "
                    "document.body.append(frame); }",
                    f"{server.address}{path}",
                )
            assert refused.value.failure == "net::ERR_BLOCKED_BY_RESPONSE"


def test_what_the_tricks_send_starts_a_run_from_the_servers_own_page(server: Server, page: Page) -> None:
    before = runs(server)
    page.goto(f"{server.dagster}/")
    told = page.evaluate(
        """at => fetch(at.graphql, {method: 'POST', headers: {'content-type': 'application/json'}, body: at.body})
               .then(answer => answer.text())""",
        addresses(server.address),
    )
    assert "LaunchRunSuccess" in told
    assert page.evaluate("at => fetch(at.get).then(answer => answer.status)", addresses(server.address)) == 405
    assert runs(server) == before + 1
