"""Faults that a validator finds in a part of its value."""

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError


def located(error: PydanticCustomError, path: Sequence[str | int], value: Any) -> ValidationError:
    """Return an error for a validator to raise, which is reported at a path below the validated value."""
    details = InitErrorDetails(type=error, loc=tuple(path), input=value)
    return ValidationError.from_exception_data("params", [details])
