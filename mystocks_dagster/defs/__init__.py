"""Dagster definitions written by hand, loaded beside tasks.yaml: `dg scaffold defs dagster.asset assets/hello.py`."""
