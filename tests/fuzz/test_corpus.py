"""Made-up task files, formulas, datasets, archives and REST calls: each is read, or is told what is wrong with it."""

import json
import random
from pathlib import Path

import pytest
from api.conftest import ADDRESS, TASKS, make_desk
from fastapi.testclient import TestClient
from fuzz.fuzzer import CORPUS, fuzz
from fuzz.mutation import mutated
from fuzz.targets import TARGETS, Target

from mystocks_dagster.api.app import create_app
from mystocks_dagster.settings import Settings

#: For each target; `make fuzz` takes longer. The seed stays, so that a change is judged by what it changed.
SECONDS, SEED = 2.0, 14
#: What the server answers when a daemon is asked for, and none is running.
EXPECTED = "NoDaemon"


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
@pytest.mark.filterwarnings("ignore::SyntaxWarning")
def test_what_is_kept_and_what_is_made_up_of_it_is_read_or_told_what_is_wrong(target: Target) -> None:
    fed, kinds = fuzz(target, SECONDS, SEED)
    assert fed > len(list((CORPUS / target.name).iterdir()))
    assert kinds > 1


@pytest.mark.slow
def test_made_up_bodies_of_rest_calls_meet_no_server_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_desk(tmp_path / "desk", monkeypatch)
    calls = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((CORPUS / "rest").iterdir())]
    bodies, chance = [json.dumps(call["body"]).encode() for call in calls], random.Random(SEED)
    with TestClient(create_app(Settings.from_env()), base_url=ADDRESS, raise_server_exceptions=False) as client:
        for number in range(150):
            call, body = calls[number % len(calls)], bodies[number % len(calls)]
            sent = body if number < len(calls) else mutated(body, bodies, chance)
            headers = {"content-type": "application/json"}
            answer = client.request(call["method"], call["path"], content=sent, headers=headers)
            assert answer.status_code < 500 or answer.json()["error"] == EXPECTED, (call, sent, answer.text)
            (folder.root / "tasks.yaml").write_text(TASKS, encoding="utf-8")
