"""Projects with runs on either storage, those of the tests of the history."""

from history.conftest import store as store
