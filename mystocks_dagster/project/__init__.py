"""One project as an object: find, start, stop, edit, history, health, logs, reload, and its servers."""
