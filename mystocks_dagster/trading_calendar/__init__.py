"""The trading calendar of this installation: the published one, extended by a file of the user's and by a data source."""
