"""The image and the services of compose.yaml, as far as they can be tried without a container engine.

The rules of the Dockerfile are those of hadolint that matter here; compose.yaml is read by the bindings of the
specification; what a container starts is started.
"""

import json
import os
import re
import shlex
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import compose_spec
import pytest
import yaml
from support.postgres import new_database
from support.project import ROOT, Folder, free_port, wait_for
from typer.main import get_command

from mystocks_dagster.cli.main import app, register_all

START = ROOT / "deploy" / "container" / "start"


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile, each on one line, without comments."""
    lines = [
        line
        for line in (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
        if not line.lstrip().startswith("#")
    ]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in joined.splitlines()) if name]


def of(name: str) -> list[str]:
    return [rest for kind, rest in instructions() if kind == name]


def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))


def test_the_image_is_built_in_stages_and_runs_as_a_user_without_rights() -> None:
    assert len(of("FROM")) == 2
    assert of("ARG")[0].startswith("PYTHON_IMAGE=python:3.")
    assert not of("ARG")[0].endswith(":latest")
    after = [kind for kind, _ in instructions()]
    user = of("USER")[-1]
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user)
    assert len(after) - after[::-1].index("USER") - 1 > len(after) - after[::-1].index("RUN") - 1
    assert not of("ADD")
    assert not [run for run in of("RUN") if "sudo" in run or "apt-get upgrade" in run]
    for kind in ("ENTRYPOINT", "CMD"):
        assert isinstance(json.loads(of(kind)[-1]), list)


def test_every_package_of_the_image_is_held_to_its_hash() -> None:
    installs = [part.strip() for run in of("RUN") for part in re.split(r"&&|\|\|", run) if "pip install" in part]
    assert installs
    for install in installs:
        words = shlex.split(install)
        assert "--require-hashes" in words or ("--no-deps" in words and words[-1] == "."), install
    assert any("-r requirements-build.lock" in install for install in installs), "what builds the package itself"


def test_what_the_image_copies_exists_and_is_sent_to_the_builder() -> None:
    rules = [
        line for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line and line[0] != "#"
    ]
    kept = [rule[1:] for rule in rules if rule.startswith("!")]
    assert rules[0] == "*"
    sources = [
        word for copy in of("COPY") if "--from" not in copy for word in copy.split()[:-1] if not word.startswith("--")
    ]
    for source in sources:
        assert (ROOT / source).exists(), source
        assert any(fnmatch(source, rule) for rule in kept), source
    assert sorted(sources) == sorted(kept)  # nothing else is sent: no data, no secrets


def test_the_compose_file_follows_the_specification() -> None:
    read = compose_spec.ComposeSpecification.model_validate(compose())
    assert set(read.services or {}) == {"market", "postgres", "objects", "bucket"}
    # The bindings pass over keys that they do not know, such as a misspelt one.
    assert unknown(compose(), compose_spec.ComposeSpecification) == set()
    for service in compose()["services"].values():
        assert unknown(service, compose_spec.Service) == set()
        assert unknown({**service, "dependson": []}, compose_spec.Service) == {"dependson"}


def unknown(given: dict[str, Any], model: Any) -> set[str]:
    return set(given) - {field.alias or name for name, field in model.model_fields.items()}


def test_a_container_may_write_backups_and_project_into_what_is_mounted() -> None:
    """A folder of the machine is made by the engine, and belongs to root; a named volume has the image's owner."""
    user = of("USER")[-1].partition(":")[0]
    owned = re.findall(rf"install --directory --owner={user} --group={user} ([^&]+)", " ".join(of("RUN")))[0].split()
    mounted = [volume.split(":") for volume in compose()["services"]["market"]["volumes"]]
    assert {name for name, _ in mounted} <= {*compose()["volumes"]}
    assert sorted(folder for _, folder in mounted) == sorted(owned)


def test_only_one_door_is_open_and_only_on_this_machine() -> None:
    ports = {name: service.get("ports", []) for name, service in compose()["services"].items()}
    assert {name for name, opened in ports.items() if opened} == {"market"}
    assert all(port.startswith("127.0.0.1:") for port in ports["market"])


def test_images_have_versions_and_every_secret_is_asked_for() -> None:
    services = compose()["services"]
    for name, service in services.items():
        if "build" not in service:
            assert re.search(r":[\w.-]*\d", service["image"]), name
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    asked = set(re.findall(r"\$\{(\w+):\?", text))
    assert asked == set(re.findall(r"(?<!\$)\$\{(\w+)", text))
    example = (ROOT / "deploy" / "container" / "example.env").read_text(encoding="utf-8")
    assert asked == set(re.findall(r"^(\w+)=$", example, re.MULTILINE))


def test_the_variables_of_the_service_are_those_that_are_read() -> None:
    given = {name for name in compose()["services"]["market"]["environment"] if name.startswith("MYSTOCKS_")}
    given |= set(re.findall(r"\b(MYSTOCKS_\w+)=", " ".join(of("ENV"))))
    read = (ROOT / "mystocks_dagster" / "settings.py").read_text(encoding="utf-8")
    read += (ROOT / "dagster.yaml").read_text(encoding="utf-8")
    assert {name for name in given if name not in read} == set()


def test_the_command_of_the_image_is_a_command() -> None:
    register_all()
    command, *options = json.loads(of("CMD")[-1])
    known = get_command(app).commands[command]  # ty: ignore[unresolved-attribute]
    names = {name for parameter in known.params for name in parameter.opts}
    assert {option for option in options if option.startswith("--")} <= names
    assert json.loads(of("ENTRYPOINT")[-1]) == ["start"]
    assert any(copy.endswith("/usr/local/bin/start") for copy in of("COPY"))
    assert os.access(START, os.X_OK)


@pytest.mark.slow
def test_the_container_starts_in_an_empty_folder_with_postgres_and_stops_when_told(
    tmp_path: Path, postgres: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_database(postgres, str(tmp_path), monkeypatch)
    folder, port = Folder(tmp_path / "project"), free_port()
    folder.root.mkdir()
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    environment = {
        **folder.environment,
        "PATH": path,
        "MYSTOCKS_ROOT": str(folder.root),
        "MYSTOCKS_API_TOKEN": "s3cret",
        "MYSTOCKS_POSTGRES_URL": os.environ["MYSTOCKS_POSTGRES_URL"],
        "MYSTOCKS_LOG_FORMAT": "json",
    }
    words = [word.replace("3000", str(port)).replace("0.0.0.0", "127.0.0.1") for word in json.loads(of("CMD")[-1])]
    log = (folder.root / "log").open("wb")
    process = subprocess.Popen([START, *words], cwd=folder.root, env=environment, stdout=log, stderr=log)
    check = json.loads(of("HEALTHCHECK")[-1].partition("CMD ")[2])
    check = [sys.executable if word == "python" else word.replace("3000", str(port)) for word in check]

    def healthy() -> bool:
        assert process.poll() is None, (folder.root / "log").read_text(encoding="utf-8")
        return subprocess.run(check, capture_output=True, check=False).returncode == 0

    try:
        wait_for(healthy, 170, "the health check of the image")
        assert "postgres" in yaml.safe_load((folder.root / "dagster.yaml").read_text(encoding="utf-8"))["storage"]
        wait_for(lambda: (folder.root / ".dagster" / "ui.json").exists(), 120, "the start of all servers")
    finally:
        process.terminate()
        ended = process.wait(60)
        log.close()
    assert ended == 0
    lines = (folder.root / "log").read_text(encoding="utf-8").splitlines()
    told = [json.loads(line) for line in lines if line.startswith("{")]
    assert any("MyStocks is at" in line["event"] for line in told)
    assert any(line["logger"].startswith("dagster.daemon") for line in told)
    # A second start changes nothing in the project.
    before = (folder.root / "tasks.yaml").stat().st_mtime_ns
    listed = subprocess.run(
        [START, "list"], cwd=folder.root, env=environment, capture_output=True, text=True, check=True
    )
    assert "daily_data_sync" in listed.stdout
    assert (folder.root / "tasks.yaml").stat().st_mtime_ns == before
