"""A browser with the token: it gives it once as a password, and all of Dagster's UI works, its websockets included."""

from collections.abc import Iterator

import pytest
from browser.chromium import PATIENCE, executable, open_page
from playwright.sync_api import Error, expect
from support.project import make_folder
from support.web import web_process

if executable() is None:
    pytest.skip(
        "no Chromium on this machine (Debian: apt install chromium): the browser tests do not run",
        allow_module_level=True,
    )

pytestmark = pytest.mark.timeout(400)
expect.set_options(timeout=PATIENCE)
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
#: Opens a websocket as Dagster's UI does, and tells the first answer.
OPEN = """() => new Promise(done => {
    const one = new WebSocket(location.origin.replace('http', 'ws') + '/dagster/graphql', 'graphql-ws');
    one.onopen = () => one.send(JSON.stringify({type: 'connection_init'}));
    one.onmessage = message => done(JSON.parse(message.data).type);
    one.onclose = () => done('refused');
})"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = make_folder(tmp_path_factory.mktemp("token") / "project")
    folder.write("tasks.yaml", TASKS)
    folder.write("quick.py", QUICK)
    folder.env["MYSTOCKS_API_TOKEN"] = TOKEN
    with web_process(folder) as address:
        yield address


def test_the_token_is_given_once_and_opens_pages_graphql_and_websockets(address: str) -> None:
    with open_page(http_credentials={"username": "me", "password": TOKEN, "origin": address}) as page:
        wrong: list[str] = []
        page.on(
            "response", lambda answer: wrong.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None
        )
        page.on(
            "console", lambda message: wrong.append(message.text) if "Content Security Policy" in message.text else None
        )
        page.goto(f"{address}/tasks")
        expect(page.locator("tr#load")).to_be_visible()
        page.goto(f"{address}/dagster/locations/mystocks/jobs/load/playground")
        expect(page.get_by_role("button", name="Launch Run")).to_be_enabled()
        assert page.evaluate(OPEN) == "connection_ack"
        page.goto(f"{address}/dagster/graphql")
        expect(page.locator(".graphiql-container")).to_be_visible()
        # Chromium asks without the password first.
        assert [one for one in wrong if not one.startswith("401")] == []


def test_without_it_a_browser_asks_for_a_password_and_shows_nothing(address: str) -> None:
    with open_page() as page:
        assert page.goto(f"{address}/ready").status == 200
        for path in ("/tasks", "/dagster/"):
            # What a browser without a window does in place of asking.
            with pytest.raises(Error, match="ERR_INVALID_AUTH_CREDENTIALS"):
                page.goto(f"{address}{path}")
