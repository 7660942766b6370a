"""The roles of a server's users, in a module that costs the commands no import."""

from enum import StrEnum


class Role(StrEnum):
    """What a user of a server may do; each role may do all that those before it may."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    EDITOR = "editor"

    def includes(self, other: "Role") -> bool:
        """Return whether this role may do all that another one may."""
        order = list(Role)
        return order.index(self) >= order.index(other)
