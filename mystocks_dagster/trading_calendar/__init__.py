"""The trading calendar of this project: the published one, extended by the user's file and by a data source."""
