"""HTTP requests to servers of this machine, which never go through a proxy of the environment."""

import urllib.request

opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
