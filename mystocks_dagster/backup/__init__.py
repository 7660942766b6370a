"""Backups: one folder with the files, the history and the lake of a project, checked by digests; and their restore."""
