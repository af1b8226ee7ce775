from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from recsys.capacity.fleet import Nodes
from recsys.capacity.hpa import Autoscaler, Hpa, Policy, Rules

FREE = Rules(0.0, (Policy("Percent", 10_000, 15.0),))
OPEN = Hpa(
    100.0,
    busy=0.0,
    min_replicas=1,
    max_replicas=1_000,
    up=FREE,
    down=Rules(0.0, (Policy("Percent", 100, 15.0),)),
)


@pytest.mark.parametrize(
    ("queue_ms", "replicas", "wanted"),
    [
        (200.0, 3, 6),
        (50.0, 4, 2),
        (105.0, 10, 10),
        (95.0, 10, 10),
        (111.0, 10, 12),
        (0.0, 5, 1),
        (150.0, 1, 2),
    ],
)
def test_the_documented_formula(queue_ms: float, replicas: int, wanted: int) -> None:
    """ceil(current · value / target), and nothing within the tolerance of 0.1."""
    assert Autoscaler(OPEN).decide(0.0, queue_ms, 0.0, replicas, replicas) == wanted


def test_replicas_that_are_not_ready_do_not_count_for_a_value() -> None:
    assert Autoscaler(OPEN).decide(0.0, 300.0, 0.0, ready=2, replicas=4) == 6


def test_the_larger_of_two_metrics_counts() -> None:
    both = Hpa(100.0, busy=0.4, min_replicas=1, max_replicas=50, up=FREE)
    assert Autoscaler(both).decide(0.0, 120.0, 0.8, 5, 5) == 10  # twice as busy as they shall be
    assert Autoscaler(both).decide(0.0, 300.0, 0.4, 5, 5) == 15


def test_percent_leaves_whole_pods() -> None:
    """The documentation's example: of 80 and of 72 pods 8 go a minute; of 40 or fewer, 4."""
    down = Rules(0.0, (Policy("Pods", 4, 60.0), Policy("Percent", 10, 60.0)))
    scaler = Autoscaler(Hpa(100.0, busy=0.0, min_replicas=10, max_replicas=100, down=down))
    replicas, seen = 80, []
    for minute in range(12):
        replicas = scaler.decide(minute * 60.0, 0.0, 0.0, replicas, replicas)
        seen.append(replicas)
    assert seen[:3] == [72, 64, 57]
    first = next(place for place, count in enumerate(seen) if count <= 40)
    assert seen[first + 1] == seen[first] - 4


def test_up_at_most_doubles_in_a_period() -> None:
    up = Rules(0.0, (Policy("Percent", 100, 15.0), Policy("Pods", 4, 15.0)))
    scaler = Autoscaler(Hpa(1.0, busy=0.0, min_replicas=1, max_replicas=100, up=up))
    replicas, seen = 1, []
    for step in range(4):
        replicas = scaler.decide(step * 15.0, 1_000.0, 0.0, replicas, replicas)
        seen.append(replicas)
    assert seen == [5, 10, 20, 40]


def test_scale_down_waits_for_the_whole_window() -> None:
    down = Rules(300.0, (Policy("Percent", 100, 15.0),))
    scaler = Autoscaler(Hpa(100.0, busy=0.0, min_replicas=1, max_replicas=20, up=FREE, down=down))
    assert scaler.decide(0.0, 200.0, 0.0, 5, 5) == 10
    changed = next(at for at in range(15, 600, 15) if scaler.decide(float(at), 0.0, 0.0, 10, 10) < 10)
    assert changed == 300


def test_bounds() -> None:
    scaler = Autoscaler(Hpa(1.0, busy=0.0, min_replicas=2, max_replicas=6, up=FREE))
    assert scaler.decide(0.0, 1e6, 0.0, 3, 3) == 6


def test_defaults_are_the_charts() -> None:
    values = yaml.safe_load((Path(__file__).parents[2] / "helm/recsys/values.yaml").read_text())["triton"]
    chart, ours = values["autoscaling"], Hpa()
    assert (ours.threshold_ms, 100 * ours.busy) == (chart["queueMilliseconds"], chart["busyPercent"])
    assert (ours.min_replicas, ours.max_replicas) == (chart["minReplicas"], chart["maxReplicas"])
    for rules, said in ((ours.up, chart["scaleUp"]), (ours.down, chart["scaleDown"])):
        assert rules.stabilization_s == said["stabilizationSeconds"]
        found = {(one.kind, one.value, one.period_s) for one in rules.policies}
        expected = {
            (kind, said[name], said["periodSeconds"])
            for kind, name in (("Pods", "pods"), ("Percent", "percent"))
            if name in said
        }
        assert found == expected
    assert Nodes().drain_s == values["drainSeconds"]
