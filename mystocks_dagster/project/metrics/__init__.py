"""The figures of a project for Prometheus: runs, queue, budgets of hosts, freshness and gaps of tables, alerts."""
