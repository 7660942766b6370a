"""How many requests a backfill may still send to the hosts of a source today."""

from urllib.parse import urlsplit

from mystocks_dagster.errors import InvalidParams
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.declaration import HostRule
from mystocks_dagster.sources.host_notes import host_notes
from mystocks_dagster.sources.hosts import HostLimiter
from mystocks_dagster.sources.registry import declarations


class Budgets:
    """The requests that are left, from what all processes have sent today; no request is sent."""

    def __init__(self, settings: Settings, allowed: int | None = None) -> None:
        """Remember the settings.

        Args:
            settings: The project's settings; a stand-in has counts of its own.
            allowed: Requests of a day to each host in place of what its rule allows.

        Raises:
            InvalidParams: `allowed` is negative.
        """
        if allowed is not None and allowed < 0:
            raise InvalidParams(f"{allowed} requests are not possible; give 0 or more.")
        self._settings, self._allowed = settings, allowed

    def rule(self, source: str, table: str) -> HostRule | None:
        """Return the rule of the hosts from which a source loads a table; None if no host is known."""
        declaration = declarations().get(source)
        return declaration.rule_of(table) if declaration else None

    def left(self, source: str, rule: HostRule) -> int | None:
        """Return the number of requests that are left today: 0 while the host has banned us, None without a limit."""
        limiter, host = self._limiter(source), rule.hosts[0]
        if limiter.ban_notice(host):
            return 0
        allowed = rule.daily if self._allowed is None else self._allowed
        return None if allowed is None else max(0, allowed - limiter.sent_today(host))

    def spent(self, source: str, rule: HostRule) -> str:
        """Return why no more requests are sent, as a sentence with what to do."""
        limiter, host = self._limiter(source), rule.hosts[0]
        if notice := limiter.ban_notice(host):
            return notice
        allowed = rule.daily if self._allowed is None else self._allowed
        return (
            f"A backfill sends no more than {allowed:,} requests a day to {host}, and {limiter.sent_today(host):,} "
            "were sent today."
        )

    def _limiter(self, source: str) -> HostLimiter:
        stand_in = declarations()[source].redirected(self._settings)
        address = urlsplit(stand_in if "//" in stand_in else f"//{stand_in}").netloc if stand_in else ""
        return HostLimiter(host_notes(self._settings, address.replace(":", "_")))
