"""Python imports this first in each process that a test starts: Dagster's servers, which are many, then start and end quicker."""

from mystocks_dagster.lean import collect_rarely

collect_rarely()
