"""The session cookie for websockets, because browsers do not send the password with those."""

import hashlib
import hmac
import time
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie

#: Renewed by any page in the second half of this time.
_LIFETIME_SECONDS = 12 * 3600


class Sessions:
    """Makes and checks the cookies of one server; a new token invalidates all of them."""

    def __init__(self, token: str, server_id: str) -> None:
        self._key = hashlib.sha256(
            f"mystocks session\n{server_id}\n{token}".encode("utf-8", "surrogateescape")
        ).digest()
        # All ports of a host share its cookies, so each server has its own cookie name.
        self._name = f"mystocks_{server_id[:8]}"

    def cookie(self, *, secure: bool) -> str:
        """Return the value of a Set-Cookie header."""
        expires = str(int(time.time()) + _LIFETIME_SECONDS)
        value = f"{self._name}={expires}.{self._sign(expires)}; Path=/; HttpOnly; SameSite=Strict"
        return f"{value}; Secure" if secure else value

    def is_fresh(self, headers: Mapping[str, str]) -> bool:
        """Return whether a request has a valid cookie with more than half of its lifetime left."""
        return self._seconds_left(headers) > _LIFETIME_SECONDS / 2

    def is_valid(self, headers: Mapping[str, str]) -> bool:
        """Return whether a request has a valid cookie of this server."""
        return self._seconds_left(headers) > 0

    def _seconds_left(self, headers: Mapping[str, str]) -> float:
        try:
            cookies = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            return 0
        value = cookies[self._name].value if self._name in cookies else ""
        expires, _, signature = value.partition(".")
        if not (expires.isascii() and expires.isdigit()) or not hmac.compare_digest(
            signature.encode(), self._sign(expires).encode()
        ):
            return 0
        return int(expires) - time.time()

    def _sign(self, expires: str) -> str:
        return hmac.new(self._key, expires.encode(), hashlib.sha256).hexdigest()
