"""What Dagster loads: the tasks of tasks.yaml. Nothing happens at import."""

import dagster as dg


@dg.definitions
def defs() -> dg.Definitions:
    """Return the tasks of tasks.yaml as ops, assets, jobs and schedules."""
    from mystocks_dagster.factory.load import load_definitions

    return load_definitions()
