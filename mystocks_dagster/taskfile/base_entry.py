"""The base class of tasks and groups: an id, and values that come from environment variables."""

from typing import Any

from pydantic import PrivateAttr

from mystocks_dagster.taskfile.problems import Path
from mystocks_dagster.taskfile.schedule import StrictModel
from mystocks_dagster.taskfile.secrets import is_secret, mask, variables_only
from mystocks_dagster.taskfile.variables import Written


class Entry(StrictModel):
    """A task or a group: it has an id, and knows which of its values came from environment variables."""

    _written: dict[Path, Written] = PrivateAttr(default_factory=dict)

    @property
    def templates(self) -> frozenset[str]:
        """Names of the fields that contain variables, at any depth."""
        return frozenset(str(path[0]) for path in self._written)

    def written(self) -> dict[str, Any]:
        """Return all fields as JSON values, with `${VAR}` where a value came from a variable; for the file only."""
        data = self.model_dump(mode="json")
        for path, written in self._written.items():
            _put(data, path, written.text)
        return data

    def masked(self) -> dict[str, Any]:
        """Return the same for display: under a secret name only variables stay, and literal text becomes `***`."""
        data = mask(self.model_dump(mode="json"))
        for path, written in self._written.items():
            _put(data, path, variables_only(written.text) if any(map(is_secret, path)) else written.text)
        return data


def _put(data: Any, path: Path, value: Any) -> None:
    for part in path[:-1]:
        data = data[part]
    data[path[-1]] = value


def with_name(values: Any, name: str, key: str) -> Any:
    """Return the values of an entry, whose id is its name if it has none."""
    if isinstance(values, dict) and not values.get(name) and isinstance(values.get(key), str):
        return {**values, name: values[key]}
    return values
