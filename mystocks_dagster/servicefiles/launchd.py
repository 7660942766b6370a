"""The launchd property list."""

import plistlib

from mystocks_dagster.servicefiles.plan import Plan

# launchd has no environment file, and every user can read a property list: a shell reads the file instead.
_SCRIPT = 'set -a; . "$1"; shift; exec "$@"'


def property_list(plan: Plan) -> str:
    """Return the property list."""
    tree = {
        "Label": plan.name,
        "ProgramArguments": ["/bin/sh", "-c", _SCRIPT, "sh", str(plan.environment), *plan.command],
        "WorkingDirectory": str(plan.root),
        "RunAtLoad": True,
        # Restarted after a failure, not after a stop.
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": 10,
        "ExitTimeOut": 60,
        "StandardOutPath": str(plan.log),
        "StandardErrorPath": str(plan.log),
        **({"UserName": plan.user} if plan.system else {}),
    }
    return plistlib.dumps(tree, sort_keys=False).decode()
