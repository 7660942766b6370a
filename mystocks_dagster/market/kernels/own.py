"""Primitives that are not written here: a project's indicators in Python, under names that no formula can write."""

from mystocks_dagster.market.kernels.primitive import Primitive

_own: dict[str, tuple[Primitive, ...]] = {}


def register(primitive: Primitive) -> None:
    """Make a primitive known by its name."""
    _own[primitive.name] = (primitive,)


def own(name: str) -> tuple[Primitive, ...]:
    """Return the registered primitives of a name; empty if there is none."""
    return _own.get(name, ())
