"""The text that Prometheus reads. A part that fails or is slow does not take the others along."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from mystocks_dagster.project.health import database
from mystocks_dagster.project.metrics import families
from mystocks_dagster.project.state import ProjectState

#: The media type of the text.
MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True)
class Part:
    """Some families.

    Attributes:
        read: Reads them.
        keep: Seconds for which they are not read again, however often Prometheus asks.
        asks: Whether it asks the database, so it fails at once while that is away.
    """

    read: Callable[[ProjectState], Iterator[Metric]]
    keep: float = 0.0
    asks: bool = False


#: All parts by name. What reads the lake is kept for a while: its tables may be in an object store.
PARTS: Mapping[str, Part] = {
    "build": Part(families.build),
    "executions": Part(families.executions, keep=5, asks=True),
    "runs": Part(families.runs, asks=True),
    "daemon": Part(families.daemon, asks=True),
    "task_file": Part(families.task_file),
    "hosts": Part(families.hosts, asks=True),
    "alerts": Part(families.alerts, asks=True),
    "disk": Part(families.disk),
    "tables": Part(families.tables, keep=60),
    "coverage": Part(families.coverage, keep=60),
}


class Exposition:
    """Reads the parts of one project; safe for many threads, of which one reads at a time."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[float, list[Metric]]] = {}
        self._lock = threading.Lock()

    def text(self, state: ProjectState) -> bytes:
        """Return all families as text, with the seconds that each part took and whether it failed."""
        registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=registry)
        with self._lock:
            registry.register(_Read(list(self._families(state))))
        return generate_latest(registry)

    def _families(self, state: ProjectState) -> Iterator[Metric]:
        seconds = GaugeMetricFamily("mystocks_metrics_seconds", "Time to read a part.", labels=["part"])
        failed = GaugeMetricFamily("mystocks_metrics_failed", "1 if a part cannot be read.", labels=["part"])
        away = database(state.settings) is not None
        for name, part in PARTS.items():
            began = time.monotonic()
            if part.asks and away:
                failed.add_metric([name], 1)
                continue
            try:
                yield from self._part(name, part, state)
                failed.add_metric([name], 0)
            except Exception:  # noqa: BLE001 - a damaged storage raises errors of any class
                failed.add_metric([name], 1)
            seconds.add_metric([name], time.monotonic() - began)
        yield from (seconds, failed)

    def _part(self, name: str, part: Part, state: ProjectState) -> list[Metric]:
        read_at, kept = self._kept.get(name, (0.0, []))
        if read_at and time.monotonic() - read_at < part.keep:
            return kept
        fresh = list(part.read(state))
        self._kept[name] = (time.monotonic(), fresh)
        return fresh


class _Read(Collector):
    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> list[Metric]:
        return self._metrics
