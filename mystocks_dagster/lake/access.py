"""Whether a lake on an object store can be read and written, found out before a run needs it."""

import hashlib
import re

import polars as pl

from mystocks_dagster.errors import LakeUnavailable
from mystocks_dagster.lake.delta import translate_errors

#: Folder beside the tables; each machine has a file in it.
_FOLDER = "_machines"
_PLAIN = re.compile(r"[\w-][\w.-]*")


def check_access(location: str, name: str) -> None:
    """Write a small file beside the tables of a lake on an object store and read it; a local folder is not asked.

    Args:
        location: Folder or URL of the lake.
        name: Name of this machine. The file has that name, or the hash of one that is not fit for a path.

    Raises:
        LakeUnusable: The bucket does not exist, or the credentials have not the rights.
        LakeUnavailable: The store does not answer.
    """
    if "://" not in location:
        return
    plain = name if _PLAIN.fullmatch(name) else hashlib.sha256(name.encode()).hexdigest()[:16]
    file = f"{location.rstrip('/')}/{_FOLDER}/{plain}.ndjson"
    with translate_errors(location):
        pl.DataFrame({"machine": [name]}).lazy().sink_ndjson(file, mkdir=True)
        found = pl.scan_ndjson(file, schema={"machine": pl.String}).collect()["machine"].to_list()
    if found != [name]:
        raise LakeUnavailable(f"{location} cannot be used: what was written to {file} is not read back.")
