"""Sensors of the project itself."""

from collections.abc import Callable

import dagster as dg

from mystocks_dagster.tags import sensor_name


def project_sensor(
    subject: str,
    evaluate: Callable[[dg.SensorEvaluationContext], dg.SensorResult | dg.SkipReason],
    description: str,
    seconds: int = 1,
) -> dg.SensorDefinition:
    """Return a sensor that is on unless a person switches it off.

    Args:
        subject: Its name without the suffix.
        evaluate: One evaluation.
        description: One line for the UI.
        seconds: Least seconds between two evaluations; the daemon evaluates every 5 s at most.
    """
    return dg.SensorDefinition(
        name=sensor_name(subject),
        evaluation_fn=evaluate,
        minimum_interval_seconds=seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=description,
    )
