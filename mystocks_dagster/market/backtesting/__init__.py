"""Backtests under the rules of the Chinese exchanges: what is filled, what is paid, and what came of it."""
