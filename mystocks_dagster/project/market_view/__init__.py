"""The market as the pages show it: a day's overview, one security's chart and records, search by name or initials."""
