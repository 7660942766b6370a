"""The blocks of the pages on servers: several machines, containers, Kubernetes, Prometheus.

No container engine and no cluster is needed: `docker` and `kubectl` are asked whether they know the options, and what a
command names is looked up in the files that it reads.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml
from dagster._core.errors import DagsterInvalidConfigError
from dagster._core.instance.config import dagster_instance_config
from docs.test_pages import check_typed
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import make_url
from support.blocks import block
from support.commands import Commands
from support.postgres import new_database
from support.project import ROOT, free_port, wait_for

from mystocks_dagster.instance import open_instance
from mystocks_dagster.settings import Settings

pytestmark = pytest.mark.slow

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PAGES = pytest.mark.parametrize("pages", ["", "zh/"])


def bash(lines: str, folder: Path, **environment: str) -> str:
    """Run lines in one shell, and return what they printed."""
    done = subprocess.run(
        ["bash", "-e", "-c", lines],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("number", [0, -2])
def test_the_packages_that_the_page_on_machines_installs_are_declared(number: int) -> None:
    first = block("machines.md", "text", number).lines[0]
    extra = re.fullmatch(r"pip install 'mystocks-dagster\[(\w+)]'", first)
    assert extra
    assert extra[1] in PYPROJECT["project"]["optional-dependencies"]


@PAGES
def test_the_variables_of_a_machine_are_what_its_settings_and_its_database_read(pages: str, tmp_path: Path) -> None:
    exports = "\n".join(block(f"{pages}machines.md", "text").text.splitlines()[1:])
    ask = "from mystocks_dagster.settings import Settings; print(Settings.from_env().lake)"
    told = bash(f'{exports}\n{shlex.quote(sys.executable)} -c "{ask}"\necho "$MYSTOCKS_POSTGRES_URL"\nenv', tmp_path)
    lake, url, *variables = told.splitlines()
    assert lake == "s3://bucket/market"
    address = make_url(url)
    assert (address.host, address.database, address.query["options"]) == ("database", "stocks", "-c timezone=UTC")
    assert {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_ENDPOINT_URL"} <= {
        line.partition("=")[0] for line in variables
    }


@PAGES
def test_dagster_takes_the_database_and_the_launcher_of_the_page(
    pages: str, cli: Commands, postgres: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_database(postgres, str(cli.folder.root), monkeypatch)
    cli.folder.write("tasks.yaml", "tasks: []\n")
    path = cli.folder.root / "dagster.yaml"
    options = yaml.safe_load(path.read_text(encoding="utf-8"))
    options |= yaml.safe_load(block(f"{pages}machines.md", "yaml").text)
    path.write_text(yaml.safe_dump(options), encoding="utf-8")
    with open_instance(Settings.from_env()) as instance:
        assert type(instance.run_launcher).__name__ == "MachineRunLauncher"
        assert "Postgres" in type(instance.run_storage).__name__
        assert instance.get_runs() == []


def test_the_store_of_output_has_the_form_that_dagster_reads(cli: Commands) -> None:
    """The package with that store is not installed here."""
    path = cli.folder.root / "dagster.yaml"
    options = yaml.safe_load(path.read_text(encoding="utf-8"))
    chosen = yaml.safe_load(block("machines.md", "yaml", 1).text)
    path.write_text(yaml.safe_dump(options | chosen), encoding="utf-8")
    read, _ = dagster_instance_config(str(cli.folder.root))
    assert read["compute_logs"] == chosen["compute_logs"]
    chosen["compute_logs"]["classname"] = chosen["compute_logs"].pop("class")
    path.write_text(yaml.safe_dump(options | chosen), encoding="utf-8")
    with pytest.raises(DagsterInvalidConfigError, match="classname"):
        dagster_instance_config(str(cli.folder.root))


@PAGES
def test_the_commands_of_head_and_machine_can_be_typed(pages: str) -> None:
    for line in block(f"{pages}machines.md", "text", 1).lines:
        check_typed(line)


ASK = """
from support.backtests import DAYS, TERMS, laboratory_of_noise
from mystocks_dagster.market.backtesting.grid import run_trials, trial_of
from mystocks_dagster.settings import Settings
from mystocks_dagster.tasks.backtest_cluster import run_on_cluster
trials = [trial_of(TERMS, {"max_positions": n}, "a", range(len(DAYS)), ()) for n in (1, 2, 3)]
laboratory = laboratory_of_noise()
print(run_on_cluster(Settings.from_env().engine, laboratory, trials) == run_trials(laboratory, trials))
"""


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """A folder with an authority's certificate and one that it signed."""
    make = "openssl req -newkey rsa:2048 -nodes -days 2"
    bash(
        f"{make} -x509 -subj /CN=authority -keyout ca.key -out ca.pem 2>/dev/null\n"
        f"{make} -subj /CN=machine -keyout own.key -out own.csr 2>/dev/null\n"
        "openssl x509 -req -in own.csr -CA ca.pem -CAkey ca.key -days 2 -out own.pem 2>/dev/null",
        tmp_path,
    )
    return tmp_path


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def start(lines: str, folder: Path, name: str, stack: ExitStack) -> Path:
    """Start lines in a shell, the last of which serves until the end of the test; return its log."""
    log = folder / f"{name}.log"
    *before, last = lines.splitlines()
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["bash", "-c", "\n".join([*before, f"exec {last}"])],
            cwd=folder,
            env={"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(folder)},
            stdout=output,
            stderr=output,
        )
    stack.callback(process.wait)
    stack.callback(process.terminate)
    return log


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
@pytest.mark.parametrize("number", [-2, -1], ids=["tcp", "tls"])
def test_the_engine_of_the_page_computes_a_grid(number: int, certificates: Path, stack: ExitStack) -> None:
    port = free_port()
    text = block("machines.md", "text", number).text.replace("10.0.0.5:8786", f"127.0.0.1:{port}")
    text = text.replace("10.0.0.5", "127.0.0.1")
    lines = [line for line in text.splitlines() if not line.startswith("pip ")]
    scheduler, worker = [line.partition("#")[0] for line in lines if line.startswith("dask ")]
    exports = "\n".join(line for line in lines if not line.startswith("dask "))
    log = start(f"{exports}\n{scheduler} --port {port}", certificates, "scheduler", stack)
    wait_for(lambda: f"127.0.0.1:{port}" in log.read_text(encoding="utf-8"), 90, "the scheduler")
    # A worker for each core is more than the machine of the tests is to be used by.
    assert "--nworkers -1" in worker
    start(f"{exports}\n{worker.replace('--nworkers -1', '--nworkers 1')}", certificates, "worker", stack)
    (certificates / "ask.py").write_text(ASK, encoding="utf-8")
    told = bash(f"{exports}\n{shlex.quote(sys.executable)} ask.py", certificates, PYTHONPATH=f"{ROOT / 'tests'}")
    assert told.strip() == "True"


def test_what_prometheus_is_told_to_ask_is_answered(cli: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prometheus asks each target for /metrics, with the file's content as a bearer token."""
    from api.conftest import open_client

    (job,) = yaml.safe_load(block("operation.md", "yaml").text)["scrape_configs"]
    assert job.keys() == {"job_name", "authorization", "static_configs"}
    assert job["authorization"].keys() == {"credentials_file"}
    assert [target.partition(":")[2] for config in job["static_configs"] for target in config["targets"]] == ["3000"]
    cli.folder.write("tasks.yaml", "tasks: []\n")
    monkeypatch.setenv("MYSTOCKS_API_TOKEN", "s3cret")
    open_instance(Settings.from_env()).dispose()
    with open_client() as client:
        assert client.get("/metrics").status_code == 401
        answer = client.get("/metrics", headers={"authorization": "Bearer s3cret"})
    names = {family.name for family in text_string_to_metric_families(answer.text)}
    assert {"mystocks_daemon_up", "mystocks_build_info"} <= names


def test_the_lines_for_containers_name_what_the_files_have(tmp_path: Path) -> None:
    copy, up, *execs = block("operation.md", "").lines
    source = copy.split()[1]
    assert copy.split()[2] == ".env"
    asked = set(re.findall(r"\$\{(\w+):\?", (ROOT / "compose.yaml").read_text(encoding="utf-8")))
    assert asked == set(re.findall(r"^(\w+)=$", (ROOT / source).read_text(encoding="utf-8"), re.MULTILINE))
    services = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]
    assert "build" in services["market"]
    assert up == "docker compose up --detach --build"
    assert len(execs) == 2
    for line in execs:
        before, _, command = line.partition(" exec ")
        service, _, typed = command.partition(" ")
        assert (before, service in services) == ("docker compose", True)
        check_typed(typed)
    folders = [volume.split(":")[1] for volume in services["market"]["volumes"]]
    assert any(execs[1].split()[-1].startswith(f"{folder}/") for folder in folders), folders


def test_a_restore_and_an_upgrade_in_containers_name_what_the_files_have() -> None:
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    service = compose["services"]["market"]
    lines = [line for number in (1, 2, 3) for line in block("operation.md", "", number).lines if line != "git pull"]
    assert len(lines) == 12
    for line in lines:
        program, noun, verb, *words = line.split()
        if noun == "volume":
            kept = {*compose["volumes"]} - {word.removeprefix(f"{compose['name']}_") for word in words}
            assert (verb, kept) == ("rm", {"backups"})
            continue
        assert (program, noun, verb in ("exec", "run", "down", "stop", "build", "up")) == ("docker", "compose", True)
        if verb not in ("exec", "run"):
            assert words in ([], ["market"], ["--detach"]), line
            continue
        typed = words[words.index("market") + 1 :]
        if "tar" in words:
            assert typed[typed.index("-C") + 1] in [volume.split(":")[1] for volume in service["volumes"]]
        else:
            check_typed(" ".join(typed if typed[0] == "mystocks" else ["mystocks", *typed]))


def test_the_lines_for_kubernetes_name_what_the_manifests_have() -> None:
    build, push, copy, enter, apply, status, execute, forward = (
        line for number in (0, 1) for line in block("kubernetes.md", "text", number).lines
    )
    assert build.split()[-2] == push.split()[-1]
    argument, _, lock = build.split("--build-arg ")[1].split()[0].partition("=")
    assert re.search(rf"^ARG {argument}\b", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    assert (ROOT / lock).is_file()
    folder = ROOT / copy.split()[-1]
    assert folder == ROOT / enter.removeprefix("cd ")
    assert all((ROOT / name).is_file() for name in copy.split()[1:-1])
    config = yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))
    assert {*copy.split()[1:-1]} <= {*config["configMapGenerator"][0]["files"]}
    assert apply == "kubectl apply -k ."
    texts = [(folder / name).read_text(encoding="utf-8") for name in config["resources"]]
    known = {
        f"{one['kind'].lower()}/{one['metadata']['name']}": one for text in texts for one in yaml.safe_load_all(text)
    }
    for line in (status, execute, forward):
        assert f" -n {config['namespace']} " in line
        assert next(word for word in line.split() if "/" in word) in known, line
    check_typed(execute.partition(" -- ")[2])
    ports = [port["port"] for port in known["service/mystocks"]["spec"]["ports"]]
    assert int(forward.split()[-1].partition(":")[2]) in ports


def asks(program: str) -> list[str]:
    """Return the lines of a program on the pages; compose is a plugin of its own, which not every machine has."""
    pages = [block("kubernetes.md", "text", 0), block("kubernetes.md", "text", 1), block("operation.md", "")]
    lines = [line for page in pages for line in page.lines]
    return [line for line in lines if line.startswith(program) and not line.startswith("docker compose")]


@pytest.mark.parametrize("line", [*asks("docker"), *asks("kubectl")])
def test_the_program_itself_knows_the_options_of_the_line(line: str, tmp_path: Path) -> None:
    """It then fails, because there is nobody to ask: with another message than for a wrong option."""
    if shutil.which(line.split()[0]) is None:
        pytest.skip(f"{line.split()[0]} is not installed")
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "KUBECONFIG": str(tmp_path / "none")}
    environment["DOCKER_HOST"] = f"unix://{tmp_path}/none"

    def typed(words: str) -> str:
        done = subprocess.run(words.split(), cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode != 0
        return done.stdout + done.stderr

    assert "unknown flag" in typed(f"{line.split()[0]} --no-such-option")
    assert "unknown" not in typed(line)


def test_the_packages_that_an_image_of_ones_own_adds_are_found(cli: Commands, tmp_path: Path) -> None:
    (image, copy, variable) = block("kubernetes.md", "dockerfile").lines
    assert image.split()[1] == block("kubernetes.md", "text").lines[0].split()[-2]
    name, there = copy.split()[1:]
    assert (Path(there).name, Path(there).parent) == (name, Path(variable.partition("=")[2]))
    cli.folder.write("tasks.yaml", f"task_packages: [{name}]\ntasks: [{{task_id: own, task_type: manual, "
                     f"task_module: {name}.first, task_function: work}}]\n")  # fmt: skip
    assert name in cli("check", code=1)
    package = tmp_path / Path(there).relative_to("/")
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "first.py").write_text("def work(params):\n    return None\n", encoding="utf-8")
    cli.folder.env[variable.split()[1].partition("=")[0]] = str(package.parent)
    path = os.pathsep.join((str(package.parent), cli.folder.environment["PYTHONPATH"]))
    cli.folder.env["PYTHONPATH"] = path
    assert cli.folder.mystocks("check").startswith("ok ")
