"""The report of a backtest as one HTML file: no script, no style sheet and no image outside it."""
