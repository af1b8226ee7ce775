"""What may be tuned, and between which ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from optuna import Trial


@dataclass(frozen=True)
class Range:
    """A number between two ends.

    Attributes:
        low: Least value.
        high: Greatest value.
        logarithmic: Whether equal ratios are equally likely.
        whole: Whether it is an integer.
    """

    low: float
    high: float
    logarithmic: bool = False
    whole: bool = False

    def draw(self, trial: Trial, name: str) -> float | int:
        """Lets a trial choose."""
        if self.whole:
            return int(trial.suggest_int(name, int(self.low), int(self.high), log=self.logarithmic))
        return float(trial.suggest_float(name, self.low, self.high, log=self.logarithmic))


@dataclass(frozen=True)
class Choice:
    """One of some values."""

    values: tuple[Any, ...]

    def draw(self, trial: Trial, name: str) -> Any:
        """Lets a trial choose."""
        return trial.suggest_categorical(name, self.values)


SPACE: Final[dict[str, Range | Choice]] = {
    "training.retrieval.epochs": Range(2, 8, whole=True),
    "training.retrieval.learning_rate": Range(0.002, 0.03, logarithmic=True),
    "training.retrieval.clicks": Range(16, 96, logarithmic=True, whole=True),
    "training.retrieval.hidden": Choice((64, 128, 256)),
    "training.retrieval.dropout": Range(0.0, 0.4),
    "training.retrieval.steps_per_epoch": Choice((75, 150, 300)),
    "training.retrieval.session_width": Choice((16, 32, 64)),
    "training.retrieval.session_layers": Choice((1, 2)),
    "training.retrieval.session_forget": Range(0.0, 0.3),
    "training.ranking.learning_rate": Range(0.0005, 0.01, logarithmic=True),
    "training.ranking.embedding_dim": Choice((16, 32, 64)),
    "training.ranking.negatives": Range(7, 31, whole=True),
    "training.ranking.retrieved_share": Range(0.4, 0.9),
    "training.ranking.intent": Choice((8, 16, 32)),
    "training.mask_user_share": Range(0.02, 0.15),
}
"""The recipe's settings by dotted name. `retrieved_share` ends where `popular_share` still fits beside it."""


def draw(trial: Trial) -> dict[str, Any]:
    """One point of the space, by dotted name."""
    return {name: part.draw(trial, name) for name, part in SPACE.items()}
