"""The systemd unit."""

import re

from mystocks_dagster.errors import SettingsError
from mystocks_dagster.servicefiles.plan import Plan

_UNIT = """\
# Written by `mystocks service install`, which replaces it. Put additions into a drop-in: systemctl edit {name}
[Unit]
Description=MyStocks on Dagster in {root}
{after}# Retry without limit: what the service needs may come back later.
StartLimitIntervalSec=0

[Service]
Type=exec
{user}{folder}
EnvironmentFile={environment}
ExecStart={command}
Restart=on-failure
RestartSec=10
# A stop ends the servers. Active runs go on, as after Ctrl-C, and the next daemon takes them over.
KillMode=process
TimeoutStopSec=60
# A task that runs out of memory does not end the service.
OOMPolicy=continue

[Install]
WantedBy={target}
"""


def unit(plan: Plan) -> str:
    """Return the unit.

    Raises:
        SettingsError: A path holds a character that a unit cannot express.
    """
    for text in (*plan.command, str(plan.root), str(plan.environment)):
        if re.search(r"[\x00-\x1f\x7f]", text):
            raise SettingsError(
                f"{text!r}: a systemd unit cannot hold a control character in a path. Move the project."
            )
    # systemd refuses quotes and backslashes in the program's path, and does not unescape `$` there.
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
    """Return the line of the unit that names its project."""
    return f"WorkingDirectory={_specifiers(str(plan.root))}"


def _specifiers(text: str) -> str:
    return text.replace("%", "%%")


def _word(text: str) -> str:
    """Quote a word of a command line, so that systemd expands nothing in it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{_specifiers(escaped)}"'
