"""Python imports this first in each process that a test starts: Dagster's servers, which are many, then start and end
quicker."""

from mystocks_dagster.gc_tuning import tune_gc

tune_gc()
