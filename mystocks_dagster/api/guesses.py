"""Guesses of a secret: how many wrong ones an address may send in a minute."""

import hashlib
import ipaddress
import math
import time

from starlette.types import Scope

from mystocks_dagster.addresses import is_loopback

#: After so many wrong secrets of one address within this time, its next one is not looked at.
_MOST, _SECONDS = 10, 60.0


class Guesses:
    """The wrong secrets of the last minute by the address that they came from.

    A secret that is sent again is no other guess: a program with an old token does not shut its address out. Addresses
    of loopback are not counted, since all who come through a proxy on this machine that names nobody share one.
    """

    def __init__(self) -> None:
        #: The digests of the secrets with their times by address; the address that guessed last is at the end.
        self._wrong: dict[str, dict[bytes, float]] = {}

    def seconds_left(self, scope: Scope) -> int:
        """Return the seconds after which a secret of this address is looked at; 0 if it is now."""
        times = sorted(self._wrong.get(_address(scope), {}).values())
        return max(math.ceil(times[-_MOST] + _SECONDS - time.monotonic()), 0) if len(times) >= _MOST else 0

    def note(self, scope: Scope, secret: str) -> None:
        """Count a wrong secret."""
        address, now = _address(scope), time.monotonic()
        if is_loopback(address):
            return
        times = {digest: at for digest, at in self._wrong.pop(address, {}).items() if now - at < _SECONDS}
        times.setdefault(hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest(), now)
        self._wrong[address] = times
        while (oldest := next(iter(self._wrong))) != address and now - max(self._wrong[oldest].values()) >= _SECONDS:
            del self._wrong[oldest]


def _address(scope: Scope) -> str:
    """Return the address of a request's sender; of IPv6 the network, in which one sender has many addresses.

    Uvicorn takes it from X-Forwarded-For if the connection comes from 127.0.0.1 or from FORWARDED_ALLOW_IPS.
    """
    host = (scope.get("client") or ("",))[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.version == 4 or address.is_loopback:
        return str(address)
    return str(address.ipv4_mapped or ipaddress.ip_network((address, 64), strict=False))
