"""Asking a server of this machine: never through the proxy that the environment names for the outside world."""

import urllib.request

opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
