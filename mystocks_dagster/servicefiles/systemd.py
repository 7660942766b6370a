"""The unit of systemd."""

import re

from mystocks_dagster.errors import SettingsError
from mystocks_dagster.servicefiles.plan import Plan

_UNIT = """\
# Written by `mystocks service install`, which writes it again. Additions go into a drop-in: systemctl edit {name}
[Unit]
Description=MyStocks on Dagster in {root}
{after}# It tries for ever: what it needs may be back later.
StartLimitIntervalSec=0

[Service]
Type=exec
{user}{folder}
EnvironmentFile={environment}
ExecStart={command}
Restart=on-failure
RestartSec=10
# A stop ends the servers. Runs that are under way go on, as after Ctrl-C, and the next daemon finds them again.
KillMode=process
TimeoutStopSec=60
# A task that takes all memory ends alone.
OOMPolicy=continue

[Install]
WantedBy={target}
"""


def unit(plan: Plan) -> str:
    """Return the unit.

    Raises:
        SettingsError: A path holds a character that no unit can.
    """
    for text in (*plan.command, str(plan.root), str(plan.environment)):
        if re.search(r"[\x00-\x1f\x7f]", text):
            raise SettingsError(
                f"{text!r}: systemd cannot start what has a control character in its path. Move the project."
            )
    # systemd refuses quotes and backslashes in the program's own path; variables it does not resolve there, but in
    # what the program sees of it.
    words = ["/usr/bin/env", *plan.command] if set(plan.command[0]) & set("$\"'\\") else list(plan.command)
    return _UNIT.format(
        name=plan.name,
        root=_specifiers(str(plan.root)),
        after="Wants=network-online.target\nAfter=network-online.target\n" if plan.system else "",
        user=f"User={plan.user}\n" if plan.system else "",
        folder=folder(plan),
        environment=_specifiers(re.sub(r"([\\*?\[\]])", r"\\\1", str(plan.environment))),
        command=" ".join(_word(word) for word in words),
        target="multi-user.target" if plan.system else "default.target",
    )


def folder(plan: Plan) -> str:
    """Return the line of the unit that says which project it is of."""
    return f"WorkingDirectory={_specifiers(str(plan.root))}"


def _specifiers(text: str) -> str:
    return text.replace("%", "%%")


def _word(text: str) -> str:
    """Return a word of a command line: quoted, with nothing in it that systemd resolves."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{_specifiers(escaped)}"'
