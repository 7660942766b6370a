"""Formulas in files: `formulas/*.txt` beside tasks.yaml, as 通达信 exports them."""

from pathlib import Path, PurePosixPath

from mystocks_dagster.errors import InvalidParams
from mystocks_dagster.excerpts import suggest
from mystocks_dagster.plain_files import read_plain, real_path
from mystocks_dagster.settings import FORMULAS, formula_folder

#: Largest file in bytes; the longest formulas on the forums have some 20,000.
_LARGEST = 200_000


def read_formula(named: str) -> str:
    """Return the text of a formula's file, in UTF-8 or in GB 18030, in which 通达信 writes.

    Args:
        named: `formulas/mine.txt`.

    Raises:
        InvalidParams: The file is outside the folder, missing, too large, or not text.
    """
    path = _inside(named)
    try:
        content = read_plain(path) if path.stat().st_size <= _LARGEST else None
    except OSError as error:
        remedy = (
            _there(path) if isinstance(error, FileNotFoundError) else "Check that it is a file, and its permissions."
        )
        raise InvalidParams(f"{named} cannot be read: {error.strerror}. {remedy}") from None
    if content is None:
        raise InvalidParams(f"{named} has more than {_LARGEST:,} bytes; a formula is shorter.")
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise InvalidParams(f"{named} is not text in UTF-8 or GB 18030; save it again as text.")


def _inside(named: str) -> Path:
    """Return the path of a file, which must be in the folder, also after links are followed."""
    folder = formula_folder()
    parts = PurePosixPath(named.replace("\\", "/")).parts
    path = real_path(folder.parent / Path(*parts)) if parts else folder
    if not _is_inside(path):
        raise InvalidParams(f"{named!r} is not a .txt file in {FORMULAS}/ beside tasks.yaml; move it there.")
    return path


def _is_inside(path: Path) -> bool:
    return path.suffix.lower() == ".txt" and path.is_relative_to(real_path(formula_folder()))


def _there(path: Path) -> str:
    found = [file for file in sorted(formula_folder().glob("*.txt")) if file.is_file() and _is_inside(real_path(file))]
    files = [f"{FORMULAS}/{file.name}" for file in found]
    return suggest(f"{FORMULAS}/{path.name}", files, allowed="There are") or f"{FORMULAS}/ has no .txt files."
