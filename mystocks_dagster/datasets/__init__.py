"""Datasets as data: a YAML file here, or in the project's `datasets/`, declares a table and the source of its rows."""
