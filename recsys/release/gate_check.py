"""One thing that a release is held to, and the evidence for it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from recsys.errors import BadData
from recsys.models.outcomes import OUTCOMES_FILE, Outcomes
from recsys.release.bootstrap import Interval

EVALUATION_FILE: Final = "evaluation.json"


@dataclass(frozen=True)
class Evidence:
    """What is known about a release; what was not measured is None and not judged.

    Attributes:
        metrics: The evaluation, as `recsys evaluate --json` prints it.
        outcomes: Its rows; without them values have no intervals.
        latency: Microseconds of each exported model in each round, [rounds]; a release and its parent take
            turns, so the same round of both is a pair.
        parity: How far each exported model is from the trained one, as a share of its greatest output.
    """

    metrics: Mapping[str, Any]
    outcomes: Outcomes | None = None
    latency: Mapping[str, np.ndarray] | None = None
    parity: Mapping[str, float] | None = None

    @classmethod
    def read(cls, folder: Path) -> Evidence:
        """What an evaluation wrote: `evaluation.json`, and `outcomes.npz` where it is there.

        Raises:
            BadData: A file cannot be read.
        """
        path = folder / EVALUATION_FILE
        try:
            metrics = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise BadData(str(path), f"cannot be read ({error})", "Evaluate the release again") from error
        return cls(metrics, Outcomes.load(folder) if (folder / OUTCOMES_FILE).is_file() else None)

    def value(self, path: str) -> float:
        """The number at a dotted path of the metrics, NaN if there is none."""
        found: Any = self.metrics
        for key in path.split("."):
            found = found.get(key) if isinstance(found, Mapping) else None
        return float(found) if isinstance(found, int | float) else math.nan


@dataclass(frozen=True)
class Check:
    """A metric, what was found and what was asked for.

    The whole interval must be on the right side of the limit: a value that is good by chance does not pass,
    nor one that too few rows were measured for.

    Attributes:
        metric: Its name.
        found: Value and interval; NaN where it could not be measured.
        limit: The floor, or the ceiling.
        at_least: Whether the limit is a floor.
    """

    metric: str
    found: Interval
    limit: float
    at_least: bool = True

    @property
    def passed(self) -> bool:
        """Whether all of the interval is within the limit; False for NaN on either side."""
        return self.found.low >= self.limit if self.at_least else self.found.high <= self.limit

    def __str__(self) -> str:
        value, low, high = (f"{number:.4f}" for number in (self.found.value, self.found.low, self.found.high))
        if math.isnan(self.found.value):
            return f"{self.metric} is missing"
        between = "" if low == value == high else f" [{low}, {high}]"
        return f"{self.metric} {value}{between}, at {'least' if self.at_least else 'most'} {self.limit:.4f}"

    def to_json(self) -> dict[str, Any]:
        """The check as a JSON object; null for what is missing."""
        numbers = {"value": self.found.value, "low": self.found.low, "high": self.found.high}
        return {
            "metric": self.metric,
            **{name: number if math.isfinite(number) else None for name, number in numbers.items()},
            "limit": self.limit if math.isfinite(self.limit) else None,
            "side": "at least" if self.at_least else "at most",
            "passed": self.passed,
        }
