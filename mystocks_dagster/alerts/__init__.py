"""Alerts: rules find what is wrong, a ledger keeps what was said, channels deliver it."""
