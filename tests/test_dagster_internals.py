"""One module imports what Dagster does not publish, and the installed release has all of its names."""

import ast
import importlib
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster
import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import mystocks_dagster
from mystocks_dagster import dagster_internals
from mystocks_dagster.dagster_internals import NAMES, Internal
from mystocks_dagster.processes import code_process

ROOT = Path(__file__).parents[1]
DOOR = Path(dagster_internals.__file__)
#: Distributions of Dagster; of all of them only what `import dagster` offers at its top is public.
PACKAGES = ("dagster", "dagster_graphql", "dagster_postgres", "dagster_shared", "dagster_webserver", "dagster_dg_core")
PUBLIC = frozenset(name for name in vars(dagster) if not name.startswith("_")) | {"__version__"}


def private_uses(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and text of each import, dotted string and attribute that reaches past `import dagster`."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.ImportFrom(module="dagster", names=names):
                yield from ((node.lineno, f"dagster.{name.name}") for name in names if name.name not in PUBLIC)
            case ast.ImportFrom(module=str(module)) if module.split(".")[0] in PACKAGES:
                yield node.lineno, module
            case ast.Import(names=names):
                yield from (
                    (node.lineno, name.name)
                    for name in names
                    if name.name != "dagster" and name.name.split(".")[0] in PACKAGES
                )
            case ast.Attribute(value=ast.Name(id="dg" | "dagster" as alias), attr=attribute):
                if attribute not in PUBLIC:
                    yield node.lineno, f"{alias}.{attribute}"
            case ast.Constant(value=str(text)) if text.startswith(("dagster._", "dagster_webserver.")):
                yield node.lineno, text


def python_files() -> list[Path]:
    package = Path(mystocks_dagster.__file__).parent
    return sorted(path for path in package.rglob("*.py") if path != DOOR)


def test_only_one_module_imports_names_of_dagster_that_are_not_public() -> None:
    files = python_files()
    assert len(files) > 200
    uses = [
        f"{path.relative_to(ROOT)}:{line} uses {name}"
        for path in files
        for line, name in private_uses(path.read_text(encoding="utf-8"))
    ]
    assert not uses, (
        "Names of Dagster that are not public are imported from mystocks_dagster.dagster_internals only, where each "
        "has a reason. Look first for a public one in `import dagster as dg`.\n" + "\n".join(uses)
    )


def test_what_the_tests_share_takes_the_same_names_from_the_same_place() -> None:
    through = {internal.attribute for internal in NAMES.values()}
    for path in (ROOT / "tests" / "support").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("dagster."):
                names = {name.name for name in node.names} & through
                assert not names, f"{path.relative_to(ROOT)}:{node.lineno}: import {names} from dagster_internals"


@pytest.mark.parametrize(
    "line",
    [
        "from dagster._core.instance import RUNLESS_RUN_ID",
        "from dagster._core import instance",
        "from dagster import _core",
        "import dagster._daemon.cli",
        "import dagster_webserver.app as app",
        "from dagster_graphql import DagsterGraphQLClient",
        "def late():\n    from dagster._grpc.types import ExecuteRunArgs",
        "import dagster as dg\ndg._core.instance",
        'importlib.import_module("dagster._cli.api")',
    ],
)
def test_every_way_past_the_door_is_seen(line: str) -> None:
    assert len(list(private_uses(line))) == 1


def test_what_dagster_publishes_is_free_to_use() -> None:
    assert not list(private_uses("import dagster as dg\nfrom dagster import DagsterInstance\ndg.RunsFilter()"))


@pytest.mark.parametrize("name", NAMES)
def test_the_installed_dagster_has_the_name(name: str) -> None:
    internal = NAMES[name]
    line = next(
        number
        for number, text in enumerate(DOOR.read_text("utf-8").splitlines(), 1)
        if text.strip().startswith(f'"{name}"')
    )
    value = getattr(importlib.import_module(internal.module), internal.attribute, None)
    assert value is not None, (
        f"{DOOR.relative_to(ROOT)}:{line}: Dagster {dagster.__version__} has no {internal.module}."
        f"{internal.attribute}. docs/decisions/0026 says what to do."
    )
    assert getattr(dagster_internals, name) is value
    assert internal.reason


def test_no_name_of_the_door_is_public_by_now() -> None:
    public = [name for name, internal in NAMES.items() if internal.attribute in PUBLIC]
    assert not public, f"`import dagster as dg` offers these; take them from the door: {public}"


def test_every_name_of_the_door_is_needed() -> None:
    imported = set()
    for path in python_files():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == dagster_internals.__name__:
                imported |= {name.name for name in node.names}
    constants = {name for name in vars(dagster_internals) if name.isupper() and not name.startswith("_")} - {
        "NAMES",
        "TYPE_CHECKING",
    }
    assert imported == set(NAMES) | constants


def test_type_checkers_see_the_same_names() -> None:
    seen = {
        (name.asname or name.name): (node.module, name.name)
        for block in ast.parse(DOOR.read_text(encoding="utf-8")).body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }
    assert seen == {name: (internal.module, internal.attribute) for name, internal in NAMES.items()}


def test_tags_are_those_that_dagster_writes() -> None:
    written_here = vars(dagster_internals).keys() - NAMES.keys()
    tags = {name: getattr(dagster_internals, name) for name in written_here if name.endswith("_TAG")}
    theirs = importlib.import_module("dagster._core.storage.tags")
    assert len(tags) >= 10
    assert tags == {name: getattr(theirs, name) for name in tags}


def test_entry_points_and_modules_that_are_named_exist() -> None:
    for entry in (dagster_internals.DAEMON_ENTRY_POINT, dagster_internals.CODE_SERVER_ENTRY_POINT):
        module, _, attribute = entry.partition(":")
        assert callable(getattr(importlib.import_module(module), attribute))
    for module in (dagster_internals.DAEMON_CONTROLLER_MODULE, dagster_internals.STEP_PROCESS_MODULE):
        importlib.import_module(module)


def test_the_daemon_writes_the_lines_that_are_left_out_of_its_log_and_those_of_starts() -> None:
    lines: dict[str, list[str]] = {module: list(lines) for module, lines in dagster_internals.IDLE_LINES.items()}
    lines["dagster._scheduler.scheduler"] += [dagster_internals.LAUNCHED_LINE, dagster_internals.SKIPPED_LINE]
    for module, written in lines.items():
        source = inspect.getsource(importlib.import_module(module))
        assert [line for line in written if f'"{line}"' not in source] == [], module


def test_a_daemons_logger_is_named_after_its_class() -> None:
    controller = importlib.import_module(dagster_internals.DAEMON_CONTROLLER_MODULE)
    for name in dagster_internals.EVALUATING_DAEMONS:
        daemon = getattr(controller, name)
        options = {"settings": {}} if name == "SensorDaemon" else {}
        assert daemon(**options)._logger.name == f"{dagster_internals.DAEMON_LOGGER}.{daemon.__name__}"


def test_no_name_is_younger_than_the_oldest_dagster_that_pyproject_admits() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    requirement = Requirement(
        next(line for line in text.splitlines() if line.strip().startswith('"dagster>=')).strip(' ",')
    )
    oldest = min(Version(part.version) for part in requirement.specifier if part.operator == ">=")
    late = [name for name, internal in NAMES.items() if Version(internal.since) > oldest]
    assert not late, f"pyproject.toml admits Dagster {oldest}, which is not known to have {late}"


def modules_after(statement: str) -> set[str]:
    script = f"import sys\n{statement}\nprint(*sys.modules)"
    return set(
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    )


def test_the_door_itself_imports_nothing_of_dagster() -> None:
    assert "dagster" not in modules_after("from mystocks_dagster.dagster_internals import WILL_RETRY_TAG")


def test_a_light_name_imports_neither_daemon_nor_web_server() -> None:
    loaded = modules_after("from mystocks_dagster.dagster_internals import InstigatorStatus, RunLauncher")
    assert "dagster._core.scheduler.instigation" in loaded
    assert not {"dagster_webserver", "dagster._daemon.controller", "dagster._cli.api", "sqlalchemy.orm"} & loaded


def test_a_release_without_a_name_is_refused_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = Internal("dagster._core.instance", "no_such_name", "a test", "1.13.27")
    monkeypatch.setattr(dagster_internals, "NAMES", {"Gone": gone})
    with pytest.raises(ImportError) as raised:
        _ = dagster_internals.Gone
    message = str(raised.value)
    assert f"Dagster {dagster.__version__} has no dagster._core.instance.no_such_name" in message
    assert "needed as a test; release 1.13.27 has it" in message
    assert "pip install -r requirements.lock" in message


def test_the_code_server_starts_its_process_by_the_function_that_we_replace(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[list[str], dict[str, object]]] = []

    def opener(command: list[str], **options: object) -> None:
        asked.append((command, options))
        raise RuntimeError("asked")

    module, _, name = dagster_internals.CODE_PROCESS_OPENER.partition(":")
    server = importlib.import_module(module)
    monkeypatch.setattr(server, name, opener)
    with pytest.raises(RuntimeError, match="asked"):
        server.GrpcServerProcess(instance_ref=None)
    command, options = asked[0]
    assert command[:5] == code_process._COMMAND
    assert options.keys() == {"cwd", "env"}


def test_dagster_asks_nothing_of_the_process_with_the_code_that_a_fork_cannot_answer() -> None:
    asked = {
        node.attr
        for module in ("dagster._grpc.server", "dagster._core.remote_representation.grpc_server_registry")
        for node in ast.walk(ast.parse(inspect.getsource(importlib.import_module(module))))
        if isinstance(node, ast.Attribute) and ast.unparse(node.value).endswith("server_process")
    }
    assert asked == {"pid", "poll", "returncode", "terminate", "wait"}
    assert asked - {"pid", "returncode"} <= vars(code_process.CodeProcess).keys()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not fork")
def test_what_the_servers_share_starts_no_thread() -> None:
    script = (
        "from mystocks_dagster.dagster_internals import SERVER_MODULES\n"
        "from mystocks_dagster.factory.forking import prepare\n"
        "import mystocks_dagster.cli.main, mystocks_dagster.project.servers\n"
        "print(prepare(SERVER_MODULES))"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout == "True\n"
