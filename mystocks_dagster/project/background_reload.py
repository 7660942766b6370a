"""Reload of the web UI in the background, after a save has been answered."""

import logging
import threading

from mystocks_dagster.errors import MyStocksError
from mystocks_dagster.instance import ui_address
from mystocks_dagster.project import reload, reload_state
from mystocks_dagster.settings import Settings

logger = logging.getLogger(__name__)


class BackgroundReload:
    """Reloads a project's web UI in a thread, one reload at a time for any number of saves."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._active = False
        self._again = False

    def begin(self) -> bool:
        """Start a reload; return False if no web UI is running."""
        if ui_address(self._settings.dagster_home) is None:
            return False
        with self._lock:
            reload_state.begin(self._settings)
            if self._active:
                self._again = True  # the active reload may have read the file before this save
            else:
                self._active = True
                threading.Thread(target=self._work, name="mystocks-reload").start()
        return True

    def _work(self) -> None:
        while True:
            error = self._try()
            with self._lock:
                if not self._again:
                    self._active = False
                    if error:
                        reload_state.fail(self._settings, error)
                    return
                self._again = False
                reload_state.begin(self._settings)

    def _try(self) -> str | None:
        """Reload; return the error message on failure."""
        try:
            reload.reload(self._settings, always=False)
        except MyStocksError as error:
            logger.warning("the web UI does not use the saved task file: %s", error)
            return str(error)
        except Exception as error:  # the failure must be visible in the reload state
            logger.exception("the web UI could not be reloaded")
            return f"{type(error).__name__}: {error}"
        return None
