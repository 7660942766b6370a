"""What a command says of a Postgres project whose database is not named as it must be: the variable and the remedy."""

import subprocess
import sys
from pathlib import Path

import pytest
from support.commands import Commands

from mystocks_dagster.shared.place import is_address, postgres_url

STORED_THERE = "storage:\n  postgres:\n    postgres_url: {env: MYSTOCKS_POSTGRES_URL}\n"
SECRET = "s3cret"
COMMANDS = ["list", "next", "history", "worker", "ui"]


@pytest.fixture
def shared(cli: Commands) -> Commands:
    """A project that keeps its history in Postgres."""
    cli.folder.write("tasks.yaml", "tasks: []\n")
    cli.folder.write("dagster.yaml", STORED_THERE)
    return cli


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_postgres_project_in_a_new_shell_is_told_which_variable_to_set(shared: Commands, command: str) -> None:
    told = shared(command, code=1)
    assert "Error: MYSTOCKS_POSTGRES_URL is not set; " in told
    assert "export MYSTOCKS_POSTGRES_URL='postgresql+psycopg2://" in told
    assert "upgrade" not in told
    assert "Stack Trace" not in told


@pytest.mark.slow
@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "MYSTOCKS_POSTGRES_URL is empty; "),
        (f"mysql://u:{SECRET}@h/db", "MYSTOCKS_POSTGRES_URL is not the address of a Postgres database"),
        (f"postgresql://u:{SECRET}@[/db", "MYSTOCKS_POSTGRES_URL is not the address of a Postgres database"),
        (f"postgresql://u:{SECRET}/@h/db", "encode each character"),
        ("nonsense", "MYSTOCKS_POSTGRES_URL is not the address of a Postgres database"),
        (f"postgresql://u:{SECRET}@127.0.0.1:1/db", "accepting TCP/IP connections. Check the storage in dagster.yaml"),
        (f"postgresql://u:{SECRET}@127.0.0.1:99999/db", "does not answer: "),
    ],
)
def test_a_wrong_address_of_the_database_is_told_in_one_sentence_without_its_password(
    shared: Commands, monkeypatch: pytest.MonkeyPatch, url: str, says: str
) -> None:
    monkeypatch.setenv("MYSTOCKS_POSTGRES_URL", url)
    for command in ("list", "worker"):
        told = shared(command, code=1)
        assert says in told
        assert len(told.splitlines()) == 1
        assert not any(text in told for text in ("upgrade", SECRET, "Retrying", "?.", "..", "Traceback"))
    overview = shared()
    assert "mystocks doctor" in overview
    assert not any(text in overview for text in ("upgrade", SECRET))


@pytest.mark.slow
def test_a_backup_names_the_variable_too(shared: Commands, tmp_path: Path) -> None:
    assert "MYSTOCKS_POSTGRES_URL is not set; " in shared("backup", str(tmp_path / "backup"), code=1)


def test_a_password_in_a_variable_that_is_not_set_is_named(cli: Commands) -> None:
    cli.folder.write("tasks.yaml", "tasks: []\n")
    parts = "{hostname: db, db_name: stocks, username: me, password: {env: MY_PASSWORD}}"
    cli.folder.write("dagster.yaml", f"storage:\n  postgres:\n    postgres_db: {parts}\n")
    assert "MY_PASSWORD is not set; dagster.yaml takes password of its storage from it." in cli("list", code=1)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://db/stocks",
        "postgresql+psycopg2://me:p%40ss:word@db:5433/stocks?options=-c%20timezone%3DUTC",
        "postgresql+psycopg2://postgres:@/stocks?host=/tmp/pg",
        "postgresql://me@[::1]:5432/stocks",
        "postgresql://me:p#w?x[y@db/stocks",
        "postgresql://",
    ],
)
def test_addresses_that_postgres_takes_are_taken(url: str) -> None:
    assert is_address(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "postgres://db/stocks",
        "postgresql://me:p@ss@db/x",
        "postgresql://me:100%@db/x",
        "postgresql://a b/x",
        "postgresql+pg8000://db/x",
        "postgresql://a:1,b:2/x",
    ],
)
def test_an_address_that_would_be_read_otherwise_is_none(url: str) -> None:
    assert not is_address(url)
    assert postgres_url({"storage": {"postgres": {"postgres_url": url}}}) is None


@pytest.mark.slow
def test_nothing_of_dagster_is_imported_to_say_it(shared: Commands) -> None:
    script = (
        "import sys\nfrom mystocks_dagster.instance import open_instance\n"
        "from mystocks_dagster.settings import Settings\n"
        "try:\n    open_instance(Settings.from_env())\nexcept Exception as error:\n"
        "    print(type(error).__name__, 'dagster' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=shared.folder.root, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["InstanceError", "False"]
