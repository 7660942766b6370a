"""`mystocks service`: files that systemd and launchd take as they are meant, whatever the folder is called."""

import json
import plistlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.blocks import Reader, block
from support.commands import Commands, commands_in
from support.project import Folder, make_folder

from mystocks_dagster.errors import SettingsError
from mystocks_dagster.servicefiles import launchd, systemd
from mystocks_dagster.servicefiles.environment import content, needed
from mystocks_dagster.servicefiles.plan import plan
from mystocks_dagster.settings import Settings

FOLDERS = [
    "it's",
    "我的 项目",
    "100% sure # really; yes",
    'it\'s "quoted" $HOME ${HOME}',
    "[a] *b* ?c",
    "back\\slash %h",
]
VALUES = {
    "MYSTOCKS_API_TOKEN": "s3cret",
    "MYSTOCKS_LAKE": "数据 湖",
    "MYSTOCKS_SIMULATED": "a=\"b\" 'c' \\ $HOME `id` %h # no remark",
    "DAGSTER_HOME": "two\nlines",
}


@pytest.fixture(params=FOLDERS)
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    folder = make_folder(tmp_path / request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder.root)
        yield Settings.from_env()


@pytest.fixture
def mystocks(folder: Folder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Commands:
    monkeypatch.setattr("pwd.getpwuid", lambda uid: PERSON(uid))
    return commands_in(folder, monkeypatch, capsys)


class PERSON:
    def __init__(self, uid: int) -> None:
        self.pw_uid, self.pw_name, self.pw_dir = uid, "person", str(Path.cwd() / "home")


def complaints(unit: str, folder: Path, system: bool) -> str:
    """Return what systemd says of a unit; empty when all is well."""
    file = folder / "mystocks.service"
    file.write_text(unit, encoding="utf-8")
    command = ["systemd-analyze", "verify", "--man=no", "--system" if system else "--user", str(file)]
    env = {"XDG_RUNTIME_DIR": str(folder), "HOME": str(folder), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    return "\n".join(line for line in done.stderr.splitlines() if "mystocks" in line or done.returncode)


@pytest.mark.parametrize("system", [False, True])
def test_systemd_finds_the_program_and_nothing_to_complain_of(project: Settings, tmp_path: Path, system: bool) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze here")
    program = project.root / "python"
    made = plan(project, name="mystocks", system=system, host="127.0.0.1", port=3000, manager="systemd")
    unit = systemd.unit(replace(made, command=(str(program), *made.command[1:])))
    if "/usr/bin/env" not in unit:
        assert "is not executable" in complaints(unit, tmp_path, system), "it is not there yet"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    assert complaints(unit, tmp_path, system) == ""


def test_the_unit_says_exactly_which_folder_and_which_command(project: Settings) -> None:
    made = plan(project, name="mystocks", system=False, host="::1", port=3001, manager="systemd")
    unit = systemd.unit(made)
    lines = dict(line.split("=", 1) for line in unit.splitlines() if "=" in line and not line.startswith("#"))
    # systemd.unit(5): "%%" is a percent sign; systemd.service(5): "$$" a dollar, and C escapes between double quotes.
    assert lines["WorkingDirectory"].replace("%%", "\0").count("%") == 0
    assert lines["WorkingDirectory"].replace("%%", "%") == str(project.root)
    words = [re.sub(r"\\(.)", r"\1", word) for word in re.findall(r'"((?:[^"\\]|\\.)*)"', lines["ExecStart"])]
    assert [word.replace("%%", "%").replace("$$", "$") for word in words] == list(made.command)
    assert Path(made.command[0]).is_absolute()
    assert lines["KillMode"] == "process"
    assert "MYSTOCKS" not in unit


def test_the_property_list_is_one_and_a_shell_gives_the_program_its_words(project: Settings, tmp_path: Path) -> None:
    made = plan(project, name="mystocks", system=False, host="127.0.0.1", port=3000, manager="launchd")
    tree = plistlib.loads(launchd.property_list(made).encode())
    assert tree["WorkingDirectory"] == str(project.root)
    assert tree["KeepAlive"] == {"SuccessfulExit": False}
    words = tree["ProgramArguments"]
    assert words[-len(made.command) :] == list(made.command)
    made.environment.write_text(content(VALUES), encoding="utf-8")
    told = tmp_path / "told.json"
    show = f"import json, os, sys; json.dump([dict(os.environ), sys.argv], open({str(told)!r}, 'w'))"
    subprocess.run(
        [*words[: -len(made.command)], sys.executable, "-c", show, "a b", "$x"],
        cwd=tree["WorkingDirectory"],
        check=True,
    )
    variables, arguments = json.loads(told.read_text(encoding="utf-8"))
    assert {name: variables[name] for name in VALUES} == VALUES
    assert arguments == ["-c", "a b", "$x"]


def test_systemd_reads_the_variables_as_a_shell_does(tmp_path: Path) -> None:
    # As systemd.exec(5) says of double quotes in an EnvironmentFile: a backslash frees these four, and "#" and "%" are
    # plain.
    lines = content(VALUES).splitlines()
    assert 'MYSTOCKS_SIMULATED="a=\\"b\\" \'c\' \\\\ \\$HOME \\`id\\` %h # no remark"' in lines


def test_variables_of_the_project_and_of_its_task_file_are_taken_and_no_others(tmp_path: Path) -> None:
    tasks = tmp_path / "tasks.yaml"
    tasks.write_text("alerts: {channels: ['${BOT_URL}', '${OTHER:-x}']}\n", encoding="utf-8")
    given = {
        "BOT_URL": "1",
        "OTHER": "2",
        "MYSTOCKS_LAKE": "3",
        "MYSTOCKS_ROOT": "4",
        "https_proxy": "5",
        "SSH_AUTH_SOCK": "6",
        "PATH": "7",
    }
    assert set(needed(given, tasks)) == {"BOT_URL", "OTHER", "MYSTOCKS_LAKE", "https_proxy", "PATH"}


def test_the_service_has_the_credentials_of_the_lake_and_what_else_the_documents_name(tmp_path: Path) -> None:
    names = {
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_ENDPOINT_URL", "AWS_ALLOW_HTTP"),
        *("PGPASSFILE", "SSL_CERT_FILE", "FORWARDED_ALLOW_IPS"),
        *("DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION", "DATABASE", "BUCKET"),
    }
    dagster = tmp_path / "dagster.yaml"
    dagster.write_text("storage: {postgres: {postgres_url: {env: DATABASE}}}\nb: {env: 'BUCKET'}\n", encoding="utf-8")
    given = {**dict.fromkeys([*names, "EDITOR"], "x"), "MYSTOCKS_LAKE": "s3://bucket/lake"}
    assert set(needed(given, tmp_path / "tasks.yaml", dagster)) == {*names, "MYSTOCKS_LAKE"}


@pytest.mark.parametrize(
    ("lake", "file", "taken"),
    [
        ("/home/li/lake", "", set()),
        ("s3://bucket/lake", "", {"AWS_SECRET_ACCESS_KEY"}),
        ("abfss://lake@shares.dfs.core.windows.net", "", {"AZURE_STORAGE_ACCOUNT_KEY"}),
        ("data", "lake: gs://hongkong", {"GOOGLE_SERVICE_ACCOUNT"}),
        ("data", "lake: ${BUCKET}", {"AWS_SECRET_ACCESS_KEY", "BUCKET"}),
        ("data", "params: {key: '${AWS_SECRET_ACCESS_KEY}'}", {"AWS_SECRET_ACCESS_KEY"}),
        ("data", "compute_logs: {module: dagster_aws.s3.compute_log_manager}", {"AWS_SECRET_ACCESS_KEY"}),
    ],
)
def test_a_service_with_its_lake_in_a_folder_has_no_keys_of_a_cloud(
    tmp_path: Path, lake: str, file: str, taken: set[str]
) -> None:
    (tmp_path / "tasks.yaml").write_text(file, encoding="utf-8")
    clouds = dict.fromkeys(("AWS_SECRET_ACCESS_KEY", "AZURE_STORAGE_ACCOUNT_KEY", "GOOGLE_SERVICE_ACCOUNT"), "secret")
    given = {**clouds, "BUCKET": "s3://hongkong", "MYSTOCKS_LAKE": lake}
    assert set(needed(given, tmp_path / "tasks.yaml")) - {"MYSTOCKS_LAKE"} == taken


@pytest.mark.slow
def test_a_token_in_a_file_is_stored_as_the_name_of_the_file(mystocks: Commands, calls: Path, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("of the file\n", encoding="utf-8")
    mystocks.monkeypatch.setenv("MYSTOCKS_API_TOKEN_FILE", str(tmp_path / "token"))
    mystocks("service", "install", "--manager", "systemd")
    stored = (mystocks.folder.root / ".dagster/service.env").read_text(encoding="utf-8")
    assert f'MYSTOCKS_API_TOKEN_FILE="{tmp_path / "token"}"' in stored
    assert "of the file" not in stored


def test_a_control_character_in_the_path_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_folder(tmp_path / "two\nlines")
    monkeypatch.chdir(folder.root)
    made = plan(Settings.from_env(), name="mystocks", system=False, host="127.0.0.1", port=3000, manager="systemd")
    with pytest.raises(SettingsError, match="control character"):
        systemd.unit(made)


SYSTEMCTL = """#!/bin/sh
echo "$@" >> "{calls}"
case "$*" in
  *show*) printf 'ActiveState=active\\nUnitFileState=enabled\\nMainPID=4711\\nNRestarts=2\\n';;
esac
[ ! -e "{broken}" ] || {{ echo "no bus" >&2; exit 1; }}
"""


@pytest.fixture
def calls(folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A systemctl that writes down how it was called; it fails while `broken` stands beside that."""
    calls, program = tmp_path / "calls", tmp_path / "bin" / "systemctl"
    program.parent.mkdir()
    program.write_text(SYSTEMCTL.format(calls=calls, broken=tmp_path / "broken"), encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return calls


@pytest.mark.slow
def test_install_status_remove(mystocks: Commands, calls: Path) -> None:
    unit = mystocks.folder.root / "home/.config/systemd/user/mystocks.service"
    secrets = mystocks.folder.root / ".dagster/service.env"
    assert "not installed" in mystocks("service", "status", "--manager", "systemd", code=1)
    mystocks.monkeypatch.setenv("MYSTOCKS_API_TOKEN", "s3cret")
    dry = mystocks("service", "install", "--manager", "systemd", "--dry-run")
    assert mystocks.json("service", "install", "--manager", "systemd", "--dry-run")["content"] in dry
    assert not unit.exists()
    assert "loginctl enable-linger person" in dry
    assert "s3cret" not in dry
    assert "loginctl enable-linger person" in mystocks("service", "install", "--manager", "systemd")
    assert unit.read_text(encoding="utf-8") in dry
    assert "s3cret" not in unit.read_text(encoding="utf-8")
    assert 'MYSTOCKS_API_TOKEN="s3cret"' in secrets.read_text(encoding="utf-8")
    assert secrets.stat().st_mode & 0o777 == 0o600
    assert calls.read_text(encoding="utf-8").splitlines() == [
        "--user daemon-reload",
        "--user enable mystocks",
        "--user restart mystocks",
    ]
    told = mystocks.json("service", "status", "--manager", "systemd")
    assert (told["installed"], told["enabled"], told["active"], told["pid"], told["restarts"]) == (
        True,
        True,
        True,
        4711,
        2,
    )
    mystocks("service", "remove", "--manager", "systemd")
    assert not unit.exists()
    assert not secrets.exists()
    assert mystocks.json("service", "remove", "--manager", "systemd") == {
        "name": "mystocks",
        "file": str(unit),
        "removed": False,
    }
    assert "is not installed: " in mystocks("service", "remove", "--manager", "systemd")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the page's line for systemd")
def test_the_commands_of_the_page_install_and_remove_the_service(mystocks: Commands, calls: Path) -> None:
    (calls.parent / "bin" / "loginctl").symlink_to(calls.parent / "bin" / "systemctl")
    mystocks.monkeypatch.setenv("USER", "person")
    dry, install, linger, state, remove = block("web.md", "console").lines
    reader = Reader(mystocks)
    unit = mystocks.folder.root / "home/.config/systemd/user/mystocks.service"
    assert "[Service]" in reader.type(dry)
    assert not calls.exists()
    reader.type(install)
    assert unit.exists()
    reader.type(linger)
    assert json.loads(reader.type(state))["pid"] == 4711
    reader.type(remove)
    assert not unit.exists()
    done = calls.read_text(encoding="utf-8").splitlines()
    assert {"--user enable mystocks", "enable-linger person"} <= set(done)
    assert any("disable" in line for line in done)


@pytest.mark.slow
def test_what_cannot_be_installed_leaves_nothing_behind(mystocks: Commands, calls: Path, tmp_path: Path) -> None:
    (tmp_path / "broken").touch()
    told = mystocks("service", "install", "--manager", "systemd", code=1)
    assert "no bus. Nothing was installed." in told
    assert not (mystocks.folder.root / "home/.config/systemd/user/mystocks.service").exists()
    assert not (mystocks.folder.root / ".dagster/service.env").exists()


def test_the_service_of_another_project_is_not_replaced(mystocks: Commands, calls: Path) -> None:
    unit = mystocks.folder.root / "home/.config/systemd/user/mystocks.service"
    unit.parent.mkdir(parents=True)
    unit.write_text("[Service]\nWorkingDirectory=/elsewhere\n", encoding="utf-8")
    for command in ("install", "remove"):
        assert "another project" in mystocks("service", command, "--manager", "systemd", code=1)
    assert "/elsewhere" in unit.read_text(encoding="utf-8")


def test_a_machine_without_a_manager_is_told_what_to_do(mystocks: Commands) -> None:
    mystocks.monkeypatch.setenv("PATH", "/nowhere")
    assert "--dry-run" in mystocks("service", "install", "--manager", "systemd", code=1)
    assert "letters" in mystocks("service", "install", "--name", "a b", code=1)


def test_my_machine_that_takes_runs_has_a_service_too(mystocks: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYSTOCKS_POSTGRES_URL", "postgresql+psycopg2://me@database/stocks")
    mystocks.folder.write("dagster.yaml", "storage: {postgres: {postgres_url: {env: MYSTOCKS_POSTGRES_URL}}}\n")
    told = mystocks("service", "install", "--dry-run", "--manager", "systemd", code=1)
    assert "For a machine that executes runs: mystocks service install --worker" in told
    there = ("service", "install", "--dry-run", "--manager", "systemd", "--worker", "--runs", "2")
    planned = mystocks.json(*there)
    assert planned["file"].endswith("/mystocks-worker.service")
    assert planned["environment"].endswith("/.dagster/worker.env")
    assert '"worker" "--runs" "2"' in planned["content"]
    assert "MYSTOCKS_POSTGRES_URL" in planned["variables"]
    # A head that executes runs too has both.
    mystocks.folder.write("tasks.yaml", "tasks: []\n")
    assert mystocks.json("service", "install", "--dry-run", "--manager", "systemd")["file"].endswith(
        "/mystocks.service"
    )
    told = mystocks("service", "status", "--worker", "--manager", "systemd", code=1)
    assert "mystocks-worker is not installed" in told
