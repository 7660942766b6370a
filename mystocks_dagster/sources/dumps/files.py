"""The dumps as files: ask for the address of one, download it, and keep it for the day."""

from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

from mystocks_dagster.errors import SettingsError, SourceChanged, SourceUnavailable
from mystocks_dagster.market import clock
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.download import Download, Refused, notes_of, redirected
from mystocks_dagster.sources.dumps import HOST, KEY_VARIABLE
from mystocks_dagster.sources.hosts import HostLimiter
from mystocks_dagster.sources.protocol import Progress
from mystocks_dagster.sources.transport import RetrySettings

_ADDRESS = f"https://{HOST}/api/dump/market-dumps/{{}}/download-url"
_OK, _NOT_READY = 0, 4040
_KEY_REFUSED = frozenset({2002, 2004})
#: Statuses of the storage for an address that has expired.
_EXPIRED = frozenset({401, 403})


class DumpFiles:
    """The downloaded dumps of one day; those of earlier days are deleted.

    Attributes:
        requests: The number of requests that were sent, downloads included.
    """

    def __init__(self, settings: Settings, key: str) -> None:
        """Prepare the folder's name; nothing is created.

        Args:
            settings: Name the folder and a stand-in.
            key: The key of the user's account; it is part of no message.
        """
        self._settings = settings
        self._key = key
        self._folder = settings.dagster_home / "downloads" / "dumps"
        self.requests = 0

    def path(self, name: str, progress: Progress = lambda *_: None) -> Path:
        """Return the file of a dump, downloaded today; download it if it is not there.

        Raises:
            SettingsError: The key is refused.
            SourceUnavailable: The dump is not ready yet, or the host does not answer.
            SourceChanged: The answer has another form.
        """
        target = self._folder / f"{name}-{_today():%Y%m%d}.parquet"
        if target.exists():
            return target
        self._delete_others(name, target)
        for again in (True, False):
            url = self._ask(name)
            self.requests += 1
            try:
                return Download(url=url, target=target, settings=self._settings, progress=progress).run()
            except Refused as refusal:
                if refusal.http_status not in _EXPIRED:
                    raise SourceUnavailable(f"{refusal} Try again later.") from refusal
                if not again:
                    raise SourceUnavailable(
                        f"{refusal} A new address of the dump {name} was refused too. Try again later."
                    ) from refusal
        raise AssertionError  # the loop returns or raises

    def forget(self, name: str) -> None:
        """Delete today's file of a dump, so that the next call downloads it again."""
        (self._folder / f"{name}-{_today():%Y%m%d}.parquet").unlink(missing_ok=True)

    def _ask(self, name: str) -> str:
        """Return the address of a dump, which is good for some minutes."""
        status, answer = self._answer(_ADDRESS.format(name))
        code = answer.get("code")
        if code in _KEY_REFUSED or status in (401, 403):
            raise SettingsError(
                f"{HOST} refuses the key in {KEY_VARIABLE} (code {code if code is not None else status}): it is wrong, "
                "has expired, or has no right to market dumps. Set a valid one."
            )
        if code == _NOT_READY:
            raise SourceUnavailable(f"{HOST}: the dump {name} is not ready yet (code {code}). Try again later.")
        if status != 200 or code != _OK:
            raise SourceUnavailable(
                f"{HOST} answered HTTP {status}, code {code}, for the dump {name}. Try again later."
            )
        data = answer.get("data")
        url = data.get("presigned_url") if isinstance(data, dict) else None
        if not isinstance(url, str) or not url.startswith(("http://", "https://")):
            raise SourceChanged(
                f"{HOST} names no address (presigned_url) of the dump {name}; its interface has changed."
            )
        return url

    def _answer(self, url: str) -> tuple[int, dict[str, Any]]:
        """Send the question; return the status and the JSON of the answer, empty if it is none."""
        import requests

        retry = RetrySettings.from_settings(self._settings)
        address, headers = redirected(url, {"X-api-key": self._key}, self._settings)
        with HostLimiter(notes_of(self._settings), gaps=retry.gaps).turn(HOST):
            self.requests += 1
            try:
                response = requests.get(address, headers=headers, timeout=retry.timeout)
            except requests.RequestException as error:
                raise SourceUnavailable(
                    f"{HOST} cannot be reached ({type(error).__name__}). Check the network, or try again later."
                ) from None
        with suppress(ValueError):
            answer = response.json()
            if isinstance(answer, dict):
                return response.status_code, answer
        return response.status_code, {}

    def _delete_others(self, name: str, target: Path) -> None:
        """Delete this dump's files of earlier days, and parts of their downloads."""
        for path in self._folder.glob(f"{name}-2*"):
            if not path.name.startswith(target.name):
                path.unlink(missing_ok=True)


def _today() -> date:
    return clock.now().date()
