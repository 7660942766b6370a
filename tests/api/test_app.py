"""schemathesis reads our OpenAPI document, makes up requests, good and bad, and finds no server error."""

from collections.abc import Iterator

import pytest
import schemathesis
from api.conftest import ADDRESS, TASKS, make_desk
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from mystocks_dagster.api.app import create_app
from mystocks_dagster.settings import Settings

EXAMPLES = 12
#: Answers that say that nothing is running here; with a server error they share the first digit only.
EXPECTED = 503


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[object, object]]:
    with pytest.MonkeyPatch.context() as patch:
        folder = make_desk(tmp_path_factory.mktemp("fuzzed") / "desk", patch)
        yield create_app(Settings.from_env()), folder


def operations() -> list[str]:
    """Return the labels of all calls: `GET /api/tasks/` and so on."""
    document = create_app(Settings.from_env()).openapi()
    return [f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods]


@pytest.mark.parametrize("label", operations())
def test_made_up_requests_meet_no_server_error(application: tuple[object, object], label: str) -> None:
    app, folder = application
    schema = schemathesis.openapi.from_asgi("/openapi.json", app, headers={"host": "127.0.0.1"})
    method, path = label.split(" ")
    checks = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=schema[path][method].as_strategy())
    def fuzz(case: schemathesis.Case) -> None:
        answer = case.call(base_url=ADDRESS)
        if answer.status_code == EXPECTED:
            assert answer.json()["error"] in ("NoDaemon",), answer.text
            return
        case.validate_response(answer, checks=checks)

    fuzz()
    (folder.root / "tasks.yaml").write_text(TASKS, encoding="utf-8")
