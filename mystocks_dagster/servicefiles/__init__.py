"""The service files by which systemd or launchd starts `mystocks ui` at boot or login, and restarts it."""
