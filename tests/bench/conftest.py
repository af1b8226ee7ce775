"""A plan and outcomes of known numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from recsys.bench.cell import Cell, Outcome, Plan
from recsys.bench.summary import Run


@pytest.fixture
def plan() -> Plan:
    return Plan(
        cell=Cell(),
        model="ensemble_model",
        target="127.0.0.1:1",
        users=[1, 2, 3],
        warm_up_s=0.0,
        seconds=0.05,
        most_requests=1_000,
        timeout_s=1.0,
        seed=0,
    )


@pytest.fixture
def run_of() -> Callable[..., dict[str, Any]]:
    """One run of the document: all latencies alike."""

    def made(variant: str, ms: float, cell: Cell | None = None, driver: str = "grpc") -> dict[str, Any]:
        run = Run(variant, cell or Cell(), driver)
        run.add(Outcome([ms] * 100, seconds=ms / 10, steal_percent=1.0, load_average=2.0), [])
        return run.to_json()

    return made
