"""Alerts: rules report faults, the ledger records messages, channels deliver them."""
