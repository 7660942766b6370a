"""The files of a new project: a folder with tasks.yaml, Dagster's settings, and a first own task and dataset."""

import contextlib
import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from unicodedata import east_asian_width

from mystocks_dagster import disk_errors
from mystocks_dagster.errors import SettingsError
from mystocks_dagster.settings import Language
from mystocks_dagster.version_stamp import STAMP, installed

_TEMPLATES = Path(__file__).parent / "templates"
#: A comment with the space before it: at the start of a line, or after at least one space.
_COMMENT = re.compile(r"(?P<before>^|\s)# ?(?P<text>(?!yaml-language-server).+)$")
#: In dagster.yaml: the storage in SQLite, and the comment with the one in Postgres.
_SQLITE_LINES = re.compile(r"^  sqlite:\n    base_dir: .*\n(#  ?[^ ].*\n)?", re.MULTILINE)
_POSTGRES_LINES = re.compile(r"^#  postgres:\n#    postgres_url: .*\n", re.MULTILINE)
_RULE = re.compile(r" -{5,}$")
#: Width of the lines that divide a file.
_WIDTH = 120


def create(folder: Path, language: Language, *, postgres: bool = False) -> list[Path]:
    """Write the files of a new project into a folder, which is made if necessary, and return their paths.

    Args:
        folder: The folder; it may hold other files, but none of those to be written.
        language: Language of the comments.
        postgres: Whether the history is in the database of `MYSTOCKS_POSTGRES_URL`, in place of SQLite.

    Raises:
        SettingsError: A file exists already, or the folder cannot be written; nothing is written then.
    """
    texts = files(language)
    if postgres:
        texts["dagster.yaml"] = in_postgres(texts["dagster.yaml"])
    written: list[Path] = []
    try:
        if existing := [name for name in texts if (folder / name).exists()]:
            raise SettingsError(
                f"{folder} holds {', '.join(existing)} already, and nothing was changed. Choose another folder; "
                "to bring a project of an older version along, run in it: mystocks upgrade"
            )
        for name, text in texts.items():
            written.append(folder / name)
            _write(folder / name, text)
        return written
    except OSError as error:
        for path in written:
            with contextlib.suppress(OSError):  # where a folder of it is a file, nothing was written
                path.unlink(missing_ok=True)
        raise disk_errors.explain(error, folder, instance=False) or SettingsError(
            f"{folder} cannot be written: {error.strerror}. Choose another folder."
        ) from None


def files(language: Language) -> dict[str, str]:
    """Return the files of a new project: path below its folder to text."""
    return {
        "tasks.yaml": tasks_yaml(language),
        "dagster.yaml": translated("dagster.yaml", language),
        "workspace.yaml": template("workspace.yaml"),
        "my_tasks.py": template(f"my_tasks_{language}.txt"),
        "datasets/watchlist.yaml": template(f"dataset_{language}.yaml"),
        "watchlist.csv": template("watchlist.csv"),
        ".gitignore": template("gitignore.txt"),
        **schemas(),
        f".dagster/{STAMP}": f"{installed()}\n",
    }


def in_postgres(text: str) -> str:
    """Return a shipped dagster.yaml with the lines for Postgres, which are comments in it, in place of SQLite."""
    changed = _SQLITE_LINES.sub("", text)
    return _POSTGRES_LINES.sub(lambda match: match[0].replace("#  ", "  "), changed)


def schemas() -> dict[str, str]:
    """Return the JSON schemas by which editors complete and check the files: path below the project to text."""
    from mystocks_dagster.datasets import docs
    from mystocks_dagster.taskfile import reference

    return {
        "schemas/tasks.schema.json": reference.schema_text(),
        "schemas/datasets.schema.json": docs.schema_text(),
    }


def tasks_yaml(language: Language) -> str:
    """Return the shipped task file with the head, the own tasks and the comments of a new project."""
    text = translated("tasks.yaml", language)
    body = text[text.index("version:") :]
    body = body.replace("\ntasks:\n", "\ntask_packages: [my_tasks]\n\ntasks:\n", 1)
    own = template(f"own_{language}.yaml")
    return template(f"head_{language}.yaml") + "\n" + body.replace("task_groups:\n", f"{own}task_groups:\n", 1)


def translated(name: str, language: Language) -> str:
    """Return a shipped file with its comments in a language; comments without a translation stay English."""
    text = template(name)
    if language == "en":
        return text
    return "".join(_translated_line(line, _comments(name)) + "\n" for line in text.splitlines())


def untranslated(name: str) -> list[str]:
    """Return the comments of a shipped file, below its head, that have no Chinese translation."""
    text = template(name)
    body = text[text.index("version:") :] if name == "tasks.yaml" else text
    comments = (_RULE.sub("", match["text"]) for match in map(_COMMENT.search, body.splitlines()) if match)
    return [comment for comment in comments if comment not in _comments(name)]


def _translated_line(line: str, comments: Mapping[str, str]) -> str:
    match = _COMMENT.search(line)
    if match is None:
        return line
    plain = _RULE.sub("", match["text"])
    if plain not in comments:
        return line
    start = line[: match.start("text")]
    text = start + comments[plain]
    if plain == match["text"]:
        return text
    columns = sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)
    return f"{text} {'-' * (_WIDTH - 1 - columns)}"


@cache
def _comments(name: str) -> dict[str, str]:
    return json.loads(template("comments_zh.json"))[name]


def template(name: str) -> str:
    """Return a file of the templates."""
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8", newline="\n") as file:
        file.write(text)
