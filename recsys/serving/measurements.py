"""What stages measure of themselves, handed to Triton's `/metrics` as custom metrics of the Python backend.

A stage says what it has seen with a method `measurements()`; a thread of its process publishes that every few
seconds, so that a request never pays for it and an idle stage's values stay true.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

_log = logging.getLogger(__name__)

PUBLISH_S: Final = 5.0
"""Seconds between two publications; Prometheus asks every 15."""


@dataclass(frozen=True)
class Measurement:
    """One time series.

    Attributes:
        name: Prometheus' name of the metric.
        does: Its help text.
        value: What it is now; a counter's only rises.
        labels: Beside the model's name and version.
    """

    name: str
    does: str
    value: float
    labels: tuple[tuple[str, str], ...] = ()

    @property
    def is_counter(self) -> bool:
        """Prometheus' convention: a counter's name ends in `_total`."""
        return self.name.endswith("_total")


class Measured(Protocol):
    """A stage that measures itself."""

    def measurements(self) -> list[Measurement]:
        """What it has seen so far; any thread may ask."""
        ...


class Publisher:
    """Keeps Triton's metrics at what a stage measures.

    Args:
        stage: The stage.
        labels: Of the model: its name and version.
        triton: The module `triton_python_backend_utils`.
    """

    def __init__(self, stage: Measured, labels: Mapping[str, str], triton: Any) -> None:
        self._stage, self._labels, self._triton = stage, dict(labels), triton
        self._families: dict[str, Any] = {}
        self._series: dict[tuple[str, tuple[tuple[str, str], ...]], tuple[Any, float]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="measurements", daemon=True)

    def start(self) -> None:
        """Publish once now, then in a thread until `close`; not at all where Triton keeps no metrics."""
        if self._published():
            self._thread.start()

    def close(self) -> None:
        """Stop the thread; Triton drops the model's series with the model."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def publish(self) -> None:
        """Bring every series up to date."""
        for each in self._stage.measurements():
            key = (each.name, each.labels)
            metric, before = self._series.get(key) or (self._new(each), 0.0)
            if each.is_counter:
                metric.increment(each.value - before)
            else:
                metric.set(each.value)
            self._series[key] = (metric, each.value)

    def _new(self, each: Measurement) -> Any:
        family = self._families.get(each.name)
        if family is None:
            kind = self._triton.MetricFamily.COUNTER if each.is_counter else self._triton.MetricFamily.GAUGE
            family = self._triton.MetricFamily(name=each.name, description=each.does, kind=kind)
            self._families[each.name] = family
        return family.Metric(labels={**self._labels, **dict(each.labels)})

    def _published(self) -> bool:
        try:
            self.publish()
        except Exception:  # noqa: BLE001 - Triton's own type; a metric that fails must end no model
            _log.exception("%s: metrics cannot be published", self._labels["model"])
            return False
        return True

    def _run(self) -> None:
        going = True
        while going and not self._stop.wait(PUBLISH_S):
            going = self._published()


def publisher(stage: object, labels: Mapping[str, str], triton: Callable[[], Any]) -> Publisher | None:
    """A started publisher, or None for a stage that measures nothing.

    Args:
        stage: Any stage.
        labels: Of the model: its name and version.
        triton: Imports `triton_python_backend_utils`, which only Triton's processes have.
    """
    if not hasattr(stage, "measurements"):
        return None
    found = Publisher(stage, labels, triton())
    found.start()
    return found
