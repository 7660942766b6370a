"""The result of one check of `mystocks health` or `mystocks doctor`."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Check:
    """The result of one check.

    Attributes:
        detail: The finding.
        remedy: What to do; empty if nothing.
        warning: It is ok, but soon will not be; the project still counts as healthy.
    """

    name: str
    ok: bool
    detail: str
    remedy: str = ""
    warning: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the JSON of REST and `--json`."""
        return asdict(self)


def checked(name: str, check: Callable[[], Check], remedy: str = "mystocks doctor") -> Check:
    """Return the result of a check; an error that it raises is a failure with `remedy`."""
    try:
        return check()
    except Exception as error:  # noqa: BLE001 - a damaged storage raises errors of any class
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return Check(name=name, ok=False, detail=lines[0], remedy=remedy)
