"""Strategies that fail, by their code or for want of a column: the signals of the others are stored all the same."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import reduce

from mystocks_dagster.errors import InvalidParams, MyStocksError, TableMissing
from mystocks_dagster.excerpts import with_remedy

#: What concerns one strategy and no other.
_OF_ONE = (InvalidParams, TableMissing)


class StrategyFailed(Exception):
    """Says through what strategies compute together whose fault it is."""

    def __init__(self, label: str, error: MyStocksError) -> None:
        super().__init__(label)
        self.label, self.error = label, error


@contextmanager
def blamed_on(label: str) -> Generator[None]:
    """Let what fails in this block be the failure of one strategy.

    Raises:
        StrategyFailed: Its code fails, or a table or column that it reads is missing.
    """
    try:
        yield
    except _OF_ONE as error:
        raise StrategyFailed(label, error) from error


class Failures:
    """The strategies that have failed, each with its error."""

    def __init__(self) -> None:
        self._errors: dict[str, MyStocksError] = {}

    def __contains__(self, label: object) -> bool:
        return label in self._errors

    @contextmanager
    def noted(self) -> Generator[None]:
        """End the block at the failure of a strategy, and note it."""
        try:
            yield
        except StrategyFailed as failed:
            self._errors[failed.label] = failed.error

    def raise_if_any(self, stored: Mapping[str, int]) -> None:
        """Raise one error that names each failure, and the strategies whose signals are stored all the same.

        Args:
            stored: The number of stored signals of each strategy that was asked for.

        Raises:
            InvalidParams: The code of a strategy failed.
            TableMissing: The first that failed has no table or column to read.
        """
        if not self._errors:
            return
        first, *_ = self._errors.values()
        texts = [*dict.fromkeys(map(str, self._errors.values()))]
        if others := [f"{label} ({number:,})" for label, number in stored.items() if label not in self]:
            texts = [_naming(label, f"{error}") for label, error in self._errors.items()]
            texts.append(
                f"The signals of the other strategies are stored: {', '.join(others)}. "
                f"Those of {', '.join(self._errors)} stay as they were."
            )
        elif len(texts) == 1:
            raise first
        raise type(first)(reduce(with_remedy, texts)) from first


def _naming(label: str, text: str) -> str:
    return text if label in text else f"{label}: {text}"
