"""Install locked packages and the project into a virtual environment: `python tools/install.py FOLDER LOCK...`.

With uv, which takes a fifth of pip's time: the one on the path, else one that pip installs. If it does not succeed, pip
installs all. Both check the hashes of the lock files. Only the standard library is used.
"""

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

UV_LOCK = Path(__file__).parent.parent / "requirements-uv.lock"
#: What each setting of pip is called by uv, which reads none of pip's, and what uv puts between several values.
_AS_VARIABLES = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "no-index": ("UV_NO_INDEX", " "),
    "cert": ("SSL_CERT_FILE", " "),
    "proxy": ("ALL_PROXY", " "),
    "timeout": ("UV_HTTP_TIMEOUT", " "),
}
#: The sections of pip's settings, of which later ones count more.
_SECTIONS = ("global", "install", ":env:")


def main(folder: str, locks: Sequence[str]) -> None:
    """Make the virtual environment if there is none, and install; end with the exit code of pip if it fails."""
    python = Path(folder, "bin", "python")
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    requirements = [word for lock in locks for word in ("-r", lock)]
    if not _with_uv(python, requirements):
        print("installing with pip, which takes some minutes …", flush=True)
        pip = [str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
        _run(*pip, "--require-hashes", "--no-deps", "--no-compile", *requirements)
        # pip compiles on one core. Files that are not Python of this version are left as they are.
        subprocess.run([python, "-W", "ignore", "-m", "compileall", "-qq", "-j", "0", f"{folder}/lib"], check=False)
        _run(*pip, "--no-deps", "--no-build-isolation", "-e", ".")


def _with_uv(python: Path, requirements: Sequence[str]) -> bool:
    """Install with uv; return whether it succeeded."""
    uv, variables = shutil.which("uv"), dict(os.environ)
    if uv is None:
        print("installing uv with pip …", flush=True)
        pip = [str(python), "-m", "pip", "--disable-pip-version-check"]
        installed = subprocess.run([*pip, "install", "-qq", "--retries", "1", "--require-hashes", "-r", UV_LOCK])
        if installed.returncode:
            return False
        uv = str(python.with_name("uv"))
        listed = subprocess.run([*pip, "config", "list"], capture_output=True, text=True).stdout
        variables = as_variables(listed.splitlines()) | variables
    print("installing with uv …", flush=True)
    install = [uv, "pip", "install", "--quiet", "--python", str(python)]
    locked = subprocess.run([*install, "--require-hashes", *requirements], env=variables)
    if locked.returncode:
        return False
    return not subprocess.run([*install, "--no-deps", "--no-build-isolation", "-e", "."], env=variables).returncode


def as_variables(listed: Iterable[str]) -> Mapping[str, str]:
    """Return uv's variables for the settings that `pip config list` prints, such as `global.index-url='https://…'`."""
    found: dict[str, dict[str, str]] = {section: {} for section in _SECTIONS}
    for line in listed:
        name, _, value = line.partition("=")
        section, _, setting = name.rpartition(".")
        if section in found:
            found[section][setting.removeprefix("default-")] = str(ast.literal_eval(value))
    settings = {name: value for section in found.values() for name, value in section.items()}
    variables = {
        variable: between.join(settings[name].split())
        for name, (variable, between) in _AS_VARIABLES.items()
        if name in settings
    }
    if "UV_INDEX" in variables:
        variables["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # as pip does; hashes say what is right
    return variables


def _run(*command: str) -> None:
    if code := subprocess.run(command).returncode:
        sys.exit(code)


if __name__ == "__main__":
    try:
        main(sys.argv[1], sys.argv[2:])
    except KeyboardInterrupt:
        sys.exit(130)
