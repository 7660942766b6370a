"""Pure market knowledge: trading days, price rules, indicators, and what each table promises."""
