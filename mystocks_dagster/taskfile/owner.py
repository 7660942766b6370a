"""The owner of a task or group: a person, a team or an e-mail address."""

import re
from typing import Annotated

from pydantic import AfterValidator

from mystocks_dagster.taskfile.form import FormField
from mystocks_dagster.taskfile.schedule import fault

#: Written in front of a team's name, as Dagster has it.
TEAM = "team:"
#: What Dagster (1.13) takes for an e-mail address; a test compares it with the installed one.
_DAGSTERS_EMAIL = r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,7}"
_LONGEST = 100
_HINT = "Write a name such as 数据组 or team:data, or an e-mail address such as data@example.com."


def owner_fault(value: str) -> str | None:
    """Return why `value` cannot be an owner; None when it can. The empty text means no owner.

    Examples:
        >>> owner_fault("张三"), owner_fault("team:数据组"), owner_fault("data@example.com"), owner_fault("")
        (None, None, None, None)
        >>> owner_fault("data@")
        'it has an @ and is not an e-mail address'
    """
    name = value.removeprefix(TEAM)
    if value and not name.strip():
        return "it is blank"
    if value != value.strip() or not value.isprintable():
        return "it begins or ends with a blank, or contains an unprintable character"
    if len(value) > _LONGEST:
        return f"it has more than {_LONGEST} characters"
    if "@" in name and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s.]+", name):
        return "it has an @ and is not an e-mail address"
    return None


def _checked(value: str) -> str:
    if reason := owner_fault(value):
        raise fault(f"{value!r} cannot be an owner: {reason}", _HINT)
    return value


def dagster_owner(value: str) -> str:
    """Return the owner in Dagster's form, an e-mail address or a team; a person's name becomes a team's.

    Examples:
        >>> dagster_owner("数据组"), dagster_owner("data@example.com")
        ('team:数据组', 'data@example.com')
    """
    return value if value.startswith(TEAM) or re.fullmatch(_DAGSTERS_EMAIL, value) else f"{TEAM}{value}"


#: The owner's field in forms.
OWNER_FIELD = FormField(
    "负责人",
    "Owner",
    help=(
        "姓名、团队或邮箱，例如 数据组 或 data@example.com",
        "A name, a team or an e-mail address, such as data@example.com",
    ),
)
Owner = Annotated[str, AfterValidator(_checked)]
