"""Who guesses the token waits, and nobody else."""

from pathlib import Path

import pytest
from api.conftest import ADDRESS
from fastapi.testclient import TestClient
from support.api import serve_api
from support.project import Folder, make_folder

from mystocks_dagster.api import guesses
from mystocks_dagster.api.app import create_app
from mystocks_dagster.settings import Settings

TOKEN = "s3cret-of-the-desk"


class Door:
    """The application, as clients of several addresses see it."""

    def __init__(self) -> None:
        self._app = create_app(Settings.from_env())

    def answer(self, address: str, secret: str, path: str = "/openapi.json", **headers: str):
        client = TestClient(self._app, base_url=ADDRESS, client=(address, 50_000))
        return client.get(path, headers={"authorization": f"Bearer {secret}", **headers})

    def statuses(self, address: str, secrets: list[str]) -> list[int]:
        return [self.answer(address, secret).status_code for secret in secrets]


@pytest.fixture
def door(desk: Folder, monkeypatch: pytest.MonkeyPatch) -> Door:
    monkeypatch.setenv("MYSTOCKS_API_TOKEN", TOKEN)
    return Door()


def wrong(count: int) -> list[str]:
    return [f"guess {number}" for number in range(count)]


def test_who_guesses_the_token_is_told_to_wait_and_is_not_told_which_guess_is_right(door: Door) -> None:
    assert door.statuses("203.0.113.7", wrong(10)) == [401] * 10
    for secret in ("another", TOKEN):
        answer = door.answer("203.0.113.7", secret)
        assert (answer.status_code, answer.json()["error"]) == (429, "TooManyGuesses")
        assert 50 < int(answer.headers["retry-after"]) <= 60
        assert f"{answer.headers['retry-after']} s" in answer.json()["message"]
    told = door.answer("203.0.113.7", TOKEN, "/api/tasks/health").json()  # what everybody is told
    assert set(told) == {"status"}
    assert "错误令牌太多" in door.answer("203.0.113.7", "another", **{"accept-language": "zh"}).json()["message"]


def test_the_right_token_of_others_is_taken_while_one_guesses(door: Door) -> None:
    door.statuses("203.0.113.7", wrong(20))
    for other in ("203.0.113.8", "127.0.0.1", "2001:db8:0:1::7"):
        assert door.answer(other, TOKEN).status_code == 200


@pytest.mark.parametrize("own", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_on_this_machine_nobody_waits_for_the_guesses_of_others(door: Door, own: str) -> None:
    assert door.statuses(own, wrong(30)) == [401] * 30
    assert door.answer(own, TOKEN).status_code == 200


def test_a_program_with_an_old_token_does_not_shut_its_address_out(door: Door) -> None:
    assert door.statuses("203.0.113.7", ["the old one"] * 30) == [401] * 30
    assert door.answer("203.0.113.7", TOKEN).status_code == 200


def test_who_has_waited_is_heard_again(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    assert door.statuses("203.0.113.7", wrong(11))[-1] == 429
    monkeypatch.setattr(guesses, "_SECONDS", 0.0)
    assert door.statuses("203.0.113.7", ["guess 1", "guess 2"]) == [401, 401]
    assert door.answer("203.0.113.9", "another").status_code == 401  # forgets the first address
    assert door.answer("203.0.113.7", TOKEN).status_code == 200


def test_all_addresses_of_one_ipv6_network_are_one_and_mapped_ones_are_several(door: Door) -> None:
    assert [door.answer(f"2001:db8::{number}", f"guess {number}").status_code for number in range(10)] == [401] * 10
    assert door.answer("2001:db8::aaaa", TOKEN).status_code == 429
    door.statuses("::ffff:203.0.113.7", wrong(11))
    assert door.answer("203.0.113.7", TOKEN).status_code == 429
    assert door.answer("::ffff:203.0.113.8", TOKEN).status_code == 200


@pytest.mark.slow
def test_behind_a_proxy_of_this_machine_each_guesser_waits_for_himself(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "project")
    folder.write("tasks.yaml", "tasks: []\n")
    folder.env["MYSTOCKS_API_TOKEN"] = TOKEN

    def status(secret: str, sender: str) -> int:
        passed_on = {"x-forwarded-for": sender, "authorization": f"Bearer {secret}"}
        return api.call("GET", "/openapi.json", **passed_on)[0]

    with serve_api(folder) as api:
        # What the sender wrote stands before what the proxy adds.
        statuses = [status(secret, f"198.51.100.{at}, 203.0.113.7") for at, secret in enumerate(wrong(11))]
        assert statuses == [401] * 10 + [429]
        assert status(TOKEN, "203.0.113.7") == 429
        assert status(TOKEN, "203.0.113.8") == 200
        assert api.call("GET", "/openapi.json", authorization=f"Bearer {TOKEN}")[0] == 200
