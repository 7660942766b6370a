"""What reaches Dagster's GraphQL: changes come as POST of JSON only, and a page of another site asks nothing."""

import re

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from mystocks_dagster.web import graphql

QUESTION = "{ version }"
CHANGE = 'mutation { terminateRun(runId: "a") { __typename } }'


@pytest.fixture
def browser() -> TestClient:
    """A client of an application that stands for Dagster's."""
    app = Starlette(routes=[Route("/graphql", lambda _: PlainTextResponse("Dagster"), methods=["GET", "POST"])])
    return TestClient(graphql.GraphQLGuard(app), base_url="http://127.0.0.1:3000")


@pytest.mark.parametrize("query", [QUESTION, "{ no such", ""])
def test_a_question_by_get_is_dagsters_to_answer(browser: TestClient, query: str) -> None:
    answer = browser.get("/graphql", params={"query": query})
    assert (answer.status_code, answer.text) == (200, "Dagster")


@pytest.mark.parametrize("query", [CHANGE, f"query a {QUESTION} {CHANGE}", "subscription { x }"])
def test_a_change_by_get_is_refused_with_the_method_that_is_allowed(browser: TestClient, query: str) -> None:
    answer = browser.get("/graphql", params={"query": query})
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_what_a_form_of_any_page_can_send_is_refused(browser: TestClient, kind: str) -> None:
    answer = browser.post("/graphql", content=b'{"query": "{version}"}', headers={"content-type": kind})
    assert (answer.status_code, "application/json" in answer.text) == (415, True)


def test_two_content_types_are_refused_whichever_comes_first(browser: TestClient) -> None:
    kinds = [("content-type", "application/json"), ("content-type", "application/graphql")]
    for headers in (kinds, kinds[::-1]):
        assert browser.post("/graphql", content=CHANGE.encode(), headers=headers).status_code == 415


def test_json_by_post_is_dagsters_to_answer(browser: TestClient) -> None:
    headers = {"content-type": "Application/JSON; charset=utf-8"}
    assert browser.post("/graphql", json={"query": CHANGE}, headers=headers).text == "Dagster"


def test_a_page_of_another_site_asks_nothing(browser: TestClient) -> None:
    headers = {"origin": "http://elsewhere.example"}
    assert browser.get("/graphql", params={"query": QUESTION}, headers=headers).status_code == 403


def test_who_reads_chinese_is_refused_in_chinese(browser: TestClient) -> None:
    chinese = {"accept-language": "zh"}
    answers = [
        browser.get("/graphql", params={"query": CHANGE}, headers=chinese),
        browser.post("/graphql", content=b"{}", headers=chinese),
        browser.get("/graphql", params={"query": QUESTION}, headers={**chinese, "origin": "http://elsewhere.example"}),
    ]
    assert [answer.status_code for answer in answers] == [405, 415, 403]
    assert [answer.json()["message"] for answer in answers if not re.search("[\u4e00-\u9fff]", answer.text)] == []
