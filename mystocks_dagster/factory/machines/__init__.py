"""Runs on several machines: a launcher that hands them over, and the process on each machine that takes them.

The queue of the handed-over runs is procrastinate's, in the database that the machines share. See docs/decisions/0060.
"""
