"""The files of 通达信 where they are: a user's own folder or zip, or downloaded into the project's folder."""

from datetime import date
from pathlib import Path
from typing import Protocol

from mystocks_dagster.errors import SettingsError, SourceChanged, SourceUnavailable
from mystocks_dagster.market import clock
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.download import Download, Refused
from mystocks_dagster.sources.protocol import Progress
from mystocks_dagster.sources.tdx import ARCHIVE_HOST, FILES_HOST
from mystocks_dagster.sources.zips import DamagedZip, opened_zip

_ARCHIVE = f"https://{ARCHIVE_HOST}/vipdoc/hsjday.zip"
_DAY = f"https://{FILES_HOST}/products/data/data/g4day/{{:%Y%m%d}}.zip"
_ACTIONS = f"http://{FILES_HOST}/products/data/data/dbf/gbbq.zip"
#: Where an installed client keeps corporate actions and holidays, seen from its folder.
_CACHE = Path("T0002", "hq_cache")
_NOT_THERE = 404


class Files(Protocol):
    """Where the source's files are. A file that is not there is None."""

    def archive(self, progress: Progress = lambda *_: None) -> Path:
        """Return the zip or folder of the `.day` files."""
        ...

    def stored_archive(self) -> Path | None:
        """Return the archive if it is there without a download."""
        ...

    def day(self, day: date) -> Path | None:
        """Return the zip of one day."""
        ...

    def actions(self) -> bytes | None:
        """Return the content of `gbbq`."""
        ...

    def holidays(self) -> bytes | None:
        """Return the content of `needini.dat`."""
        ...

    def discard(self, path: Path) -> str:
        """Delete a damaged file if it was downloaded; return the remedy."""
        ...


class OwnFiles:
    """The user's zip, or folder of `.day` files, such as `vipdoc` of an installed client, or the client's folder."""

    def __init__(self, path: Path) -> None:
        """Name the files.

        Raises:
            SettingsError: The path does not exist.
        """
        if not path.exists():
            raise SettingsError(f"MYSTOCKS_TDX is {path}, which does not exist; set it to a zip, or to a folder.")
        self.path = path

    def archive(self, progress: Progress = lambda *_: None) -> Path:
        """Return the user's zip or folder."""
        return self.path

    def stored_archive(self) -> Path | None:
        """Return the user's zip or folder."""
        return self.path

    def day(self, day: date) -> Path | None:
        """Return the zip of one day if the user keeps it in a folder `g4day`."""
        return next(
            (path for folder in self._folders() if (path := folder / "g4day" / f"{day:%Y%m%d}.zip").is_file()), None
        )

    def actions(self) -> bytes | None:
        """Return the content of `gbbq`, of the client or beside the archive, also within `gbbq.zip`."""
        return self._content("gbbq", "gbbq")

    def holidays(self) -> bytes | None:
        """Return the content of `needini.dat`, of the client or within `gbbq.zip` or `zhb.zip`."""
        return self._content("needini.dat", "zhb.zip", "needini.dat")

    def discard(self, path: Path) -> str:
        """Return the remedy; a user's file is not deleted."""
        return "Replace it by a complete one."

    def _folders(self) -> list[Path]:
        folder = self.path if self.path.is_dir() else self.path.parent
        return [folder, folder / _CACHE, folder.parent / _CACHE]

    def _content(self, name: str, *nested: str) -> bytes | None:
        for folder in self._folders():
            if (path := folder / name).is_file():
                return path.read_bytes()
            if (path := folder / "gbbq.zip").is_file() and (content := unpacked(path, *nested)) is not None:
                return content
        return None


class DownloadedFiles:
    """Files that are downloaded when they are needed; what an interrupted download received is continued."""

    def __init__(self, settings: Settings) -> None:
        """Name the folder; nothing is created or requested."""
        self._settings = settings
        self._folder = settings.dagster_home / "downloads" / "tdx"
        self._absent: set[date] = set()

    def archive(self, progress: Progress = lambda *_: None) -> Path:
        """Return `hsjday.zip`; download it if it is not there.

        Raises:
            SourceUnavailable: The host does not answer or breaks off; what was received is kept.
            LakeUnavailable: The file cannot be written.
        """
        path = self._folder / "hsjday.zip"
        return path if path.exists() else self._download(_ARCHIVE, path, progress)

    def stored_archive(self) -> Path | None:
        """Return `hsjday.zip` if it was downloaded."""
        path = self._folder / "hsjday.zip"
        return path if path.exists() else None

    def day(self, day: date) -> Path | None:
        """Return the zip of one day; None if the host does not have it (yet).

        Raises:
            SourceUnavailable, LakeUnavailable: As `archive`.
        """
        path = self._folder / "g4day" / f"{day:%Y%m%d}.zip"
        if path.exists() or day in self._absent:
            return path if path.exists() else None
        try:
            return self._download(_DAY.format(day), path)
        except _Absent:
            self._absent.add(day)
            return None

    def actions(self) -> bytes | None:
        """Return the content of `gbbq`, downloaded once a day.

        Raises:
            SourceUnavailable, LakeUnavailable: As `archive`.
            SourceChanged: The zip is damaged or has no such file.
        """
        return self._required("gbbq")

    def holidays(self) -> bytes | None:
        """Return the content of `needini.dat`, which is nested in the same zip; errors as in `actions`."""
        return self._required("zhb.zip", "needini.dat")

    def discard(self, path: Path) -> str:
        """Delete a damaged file, so that the next call downloads it again; return the remedy."""
        path.unlink(missing_ok=True)
        return "It was deleted; run the task again to download it again."

    def _required(self, *nested: str) -> bytes:
        path = self._folder / f"gbbq-{clock.now():%Y%m%d}.zip"
        if not path.exists():
            self._download(_ACTIONS, path)
            for other in set(self._folder.glob("gbbq-*")) - {path}:
                other.unlink(missing_ok=True)
        try:
            content = unpacked(path, *nested)
        except SourceChanged as error:
            raise SourceChanged(f"{error} {self.discard(path)}") from error
        if content is None:
            raise SourceChanged(f"{path.name} has no {nested[-1]}. {self.discard(path)}")
        return content

    def _download(self, url: str, path: Path, progress: Progress = lambda *_: None) -> Path:
        try:
            return Download(url=url, target=path, settings=self._settings, progress=progress).run()
        except Refused as refusal:
            if refusal.http_status == _NOT_THERE:
                raise _Absent(f"{refusal} It is not there (yet). Try again later.") from refusal
            raise SourceUnavailable(f"{refusal} Try again later.") from refusal


class _Absent(SourceUnavailable):
    """The host does not have the file."""


def files_of(settings: Settings, path: Path | None) -> Files:
    """Return the user's files, or those to download if `path` is None.

    Raises:
        SettingsError: The path does not exist.
    """
    return OwnFiles(path) if path else DownloadedFiles(settings)


def unpacked(path: Path, *nested: str) -> bytes | None:
    """Return a file out of a zip, or out of a zip within it; None if it is not there.

    Raises:
        SourceChanged: A zip is damaged.
    """
    import io

    content: bytes | None = None
    try:
        for name in nested:
            with opened_zip(path if content is None else io.BytesIO(content)) as archive:
                match = next((entry for entry in archive.namelist() if entry.lower().rpartition("/")[2] == name), None)
                if match is None:
                    return None
                content = archive.read(match)
    except DamagedZip as error:
        raise SourceChanged(f"{path} is not a complete zip ({error}).") from error
    return content
