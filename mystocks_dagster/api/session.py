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

    def cookie(self, user: str = "", *, secure: bool) -> str:
        """Return the value of a Set-Cookie header for a user of the server; empty for the owner."""
        expires = str(int(time.time()) + _LIFETIME_SECONDS)
        value = f"{self._name}={expires}.{user}.{self._sign(expires, user)}; Path=/; HttpOnly; SameSite=Strict"
        return f"{value}; Secure" if secure else value

    def is_fresh(self, headers: Mapping[str, str]) -> bool:
        """Return whether a request has a valid cookie with more than half of its lifetime left."""
        return self._seconds_left(headers) > _LIFETIME_SECONDS / 2

    def user(self, headers: Mapping[str, str]) -> str | None:
        """Return the user of a valid cookie of this server, empty for the owner; None without such a cookie."""
        return self._value(headers)[1] if self._seconds_left(headers) > 0 else None

    def _seconds_left(self, headers: Mapping[str, str]) -> float:
        expires, user, signature = self._value(headers)
        if not (expires.isascii() and expires.isdigit()) or not hmac.compare_digest(
            signature.encode(), self._sign(expires, user).encode()
        ):
            return 0
        return int(expires) - time.time()

    def _value(self, headers: Mapping[str, str]) -> tuple[str, str, str]:
        try:
            cookies = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            return "", "", ""
        parts = cookies[self._name].value.split(".") if self._name in cookies else []
        return (parts[0], parts[1], parts[2]) if len(parts) == 3 else ("", "", "")

    def _sign(self, expires: str, user: str) -> str:
        return hmac.new(self._key, f"{expires}.{user}".encode(), hashlib.sha256).hexdigest()
