from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from recsys.serving.measurements import Measurement, Publisher, publisher

LABELS = {"model": "m", "version": "3"}


@dataclass
class Series:
    labels: dict[str, str]
    value: float = 0.0
    writes: list[float] = field(default_factory=list)

    def increment(self, by: float) -> None:
        assert by >= 0  # as Triton asks
        self.value += by

    def set(self, value: float) -> None:
        self.value = value


class Triton:
    """Stands in for `triton_python_backend_utils`."""

    def __init__(self, fails: bool = False) -> None:
        self.families: dict[str, Family] = {}
        triton = self

        class MetricFamily(Family):
            COUNTER, GAUGE = "counter", "gauge"

            def __init__(self, name: str, description: str, kind: str) -> None:
                if fails:
                    raise RuntimeError("metrics are not enabled")
                assert name not in triton.families
                super().__init__(kind)
                triton.families[name] = self

        self.utils = SimpleNamespace(MetricFamily=MetricFamily)

    def value(self, name: str, **labels: str) -> float:
        (found,) = (each for each in self.families[name].series if each.labels == {**LABELS, **labels})
        return found.value


class Family:
    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.series: list[Series] = []

    def Metric(self, labels: dict[str, str]) -> Series:
        self.series.append(Series(labels))
        return self.series[-1]


class Stage:
    def __init__(self) -> None:
        self.hits, self.misses, self.read_at = 4.0, 0.0, 100.0

    def measurements(self) -> list[Measurement]:
        return [
            Measurement("items_total", "Items", self.hits, (("source", "feast"),)),
            Measurement("items_total", "Items", self.misses, (("source", "release"),)),
            Measurement("read_at_seconds", "When", self.read_at),
        ]


def test_counters_rise_by_what_came_since_and_gauges_are_set() -> None:
    triton, stage = Triton(), Stage()
    publishes = Publisher(stage, LABELS, triton.utils)
    publishes.publish()
    stage.hits, stage.misses, stage.read_at = 10.0, 1.0, 160.0
    publishes.publish()
    publishes.publish()
    assert triton.value("items_total", source="feast") == 10.0
    assert triton.value("items_total", source="release") == 1.0
    assert triton.value("read_at_seconds") == 160.0
    assert {name: family.kind for name, family in triton.families.items()} == {
        "items_total": "counter",
        "read_at_seconds": "gauge",
    }


def test_it_publishes_at_once_and_ends_when_told() -> None:
    triton = Triton()
    found = publisher(Stage(), LABELS, lambda: triton.utils)
    assert found is not None
    assert triton.value("items_total", source="feast") == 4.0
    found.close()
    found.close()


def test_a_stage_without_measurements_needs_no_thread() -> None:
    assert publisher(object(), LABELS, lambda: pytest.fail("asked for Triton's module")) is None


def test_a_triton_without_metrics_loads_the_model_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    found = publisher(Stage(), LABELS, lambda: Triton(fails=True).utils)
    assert found is not None
    assert "m: metrics cannot be published" in caplog.text
    found.close()
