"""What is asked of the ensemble, and its inputs for one user or many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from recsys.serving.graph import ENSEMBLE_INPUTS
from recsys.serving.tensors import CATEGORIES, EXCLUDED, TENSORS

SAMPLING: Final = {"top": 0, "weighted": 1}
DIVERSITY_BY: Final = {"mmr": 0, "dpp": 1}


@dataclass(frozen=True)
class Question:
    """What is asked of the ensemble for one user.

    Attributes:
        user_id: The shop's user; -1 for an anonymous visitor.
        device_type: A value of `schema.DEVICES`; None if it is not known.
        timestamp: Unix seconds; None for now.
        only_category_l1: Items must be of one of these categories, or of those of the second level.
        only_category_l2: See there.
        in_stock_only: Leave out what the shop has none of.
        exclude: The shop's items that are not wanted; the ensemble looks at the first thousand.
        top_k: Length of the list that is sampled or made diverse; None for all that the ensemble returns.
        sampling: A key of `SAMPLING`; None for what is set.
        diversity: 0 to 1; None for what is set.
        seed: Of a sample, int64; None for what is set.
        diversity_by: A key of `DIVERSITY_BY`; None for what is set.
        max_per_category: Items of one top-level category; 0 for any number, None for what is set.
        explore: Temperature of an answer that tries things; 0 for none, None for what is set.
    """

    user_id: int
    device_type: int | None = None
    timestamp: int | None = None
    only_category_l1: tuple[int, ...] = ()
    only_category_l2: tuple[int, ...] = ()
    in_stock_only: bool = False
    exclude: tuple[int, ...] = ()
    top_k: int | None = None
    sampling: str | None = None
    diversity: float | None = None
    seed: int | None = None
    diversity_by: str | None = None
    max_per_category: int | None = None
    explore: float | None = None

    @property
    def is_chosen(self) -> bool:
        """Whether the list itself is chosen otherwise than by score, so that its length matters."""
        return any(
            each is not None for each in (self.sampling, self.diversity, self.max_per_category, self.explore)
        )

    def values(self) -> dict[str, Any]:
        """The ensemble's inputs that are not left out."""
        given = {
            "user_id": self.user_id,
            "device_type": self.device_type,
            "timestamp": self.timestamp,
            "in_stock_only": int(self.in_stock_only) or None,
            "exclude": self.exclude[:EXCLUDED] or None,
            "top_k": self.top_k,
            "sampling": None if self.sampling is None else SAMPLING[self.sampling],
            "diversity": self.diversity,
            "seed": self.seed,
            "diversity_by": None if self.diversity_by is None else DIVERSITY_BY[self.diversity_by],
            "max_per_category": self.max_per_category,
            "explore": self.explore,
        }
        # A name that more categories bear than fit is left to the caller's own check of the answer.
        if max(len(self.only_category_l1), len(self.only_category_l2)) <= CATEGORIES:
            given["only_category_l1"] = self.only_category_l1 or None
            given["only_category_l2"] = self.only_category_l2 or None
        return {name: value for name, value in given.items() if value is not None}


def columns(questions: Sequence[Question]) -> dict[str, np.ndarray]:
    """The inputs of one request for several users.

    Args:
        questions: B of them.

    Returns:
        Each input that any of them needs, [B, width]; it is neutral where others leave it out, who are so
        answered as if alone.
    """
    asked: list[Mapping[str, Any]] = [question.values() for question in questions]
    arrays = {}
    for name in ENSEMBLE_INPUTS:
        if not any(name in values for values in asked):
            continue
        tensor = TENSORS[name]
        if tensor.default is None:
            array = np.zeros((len(asked), 1), tensor.dtype)
        else:
            array = tensor.neutral(len(asked), tuple(map(int, tensor.shape)))
        for row, values in enumerate(asked):
            if name in values:
                given = np.atleast_1d(values[name])
                array[row, : len(given)] = given
        arrays[name] = array
    return arrays
