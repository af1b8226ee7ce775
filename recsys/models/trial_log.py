"""Off-policy estimates tried where the truth is known: test rows say what any policy would have earned."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from recsys.models.offpolicy import Estimate, Log, doubly_robust, ips, snips
from recsys.models.pools import Pools
from recsys.serving.relevance import logits, softmax

_LOGGING: Final = 0.01
_SEED: Final = 0


def estimates(pools: Pools) -> list[dict[str, Any]]:
    """Lets an exploring policy fill the first place, and estimates what others would have earned.

    The reward is 1 where the item shown is the one that was clicked. That turns each test row into a bandit's
    round whose rewards are known for all actions (Dudík et al., 2011, section 4), so each estimate stands
    beside the truth. The model of the doubly robust one is a softmax of the ranker's logits, which has not
    seen the log.

    Args:
        pools: Test rows with their candidates.

    Returns:
        One entry a policy and estimator: "policy", "estimator", "value", "interval", "truth",
        "effective_rows".
    """
    logging = softmax(pools.scores / _LOGGING)
    drawn = np.random.default_rng(_SEED).random(len(logging))
    columns = (drawn[:, None] > np.cumsum(logging, axis=1)).sum(axis=1)
    action = np.minimum(columns, logging.shape[1] - 1)
    rows = np.arange(len(logging))
    clicked = pools.items == pools.item[:, None]
    model = softmax(logits(pools.scores))
    found: list[dict[str, Any]] = []
    for name, target in _targets(pools, logging):
        log = Log(clicked[rows, action].astype(np.float64), logging[rows, action], target[rows, action])
        truth = float((target * clicked).sum(axis=1).mean())
        expected = (target * model).sum(axis=1)
        found += [{**one, "truth": truth} for one in told(name, log, model[rows, action], expected)]
    return found


def told(policy: str, log: Log, taken: np.ndarray, expected: np.ndarray) -> list[dict[str, Any]]:
    """What each estimator says of a policy.

    Args:
        policy: Its name.
        log: Decisions of another one.
        taken: A model's reward of each action that was taken; see `doubly_robust`.
        expected: Its mean over the policy's actions.

    Returns:
        [{"policy", "estimator", "value", "interval", "effective_rows"}].
    """
    named: dict[str, Estimate] = {
        "IPS": ips(log),
        "SNIPS": snips(log),
        "DR": doubly_robust(log, taken, expected),
    }
    return [
        {
            "policy": policy,
            "estimator": estimator,
            "value": one.value,
            "interval": list(one.interval),
            "effective_rows": one.effective_rows,
        }
        for estimator, one in named.items()
    ]


def _targets(pools: Pools, logging: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    yield "the exploring one itself", logging
    yield "half its temperature", softmax(2 * pools.scores / _LOGGING)
    yield "the ranker's first", _greedy(pools.scores)
    yield "retrieval's first", _greedy(pools.retrieval)


def _greedy(scores: np.ndarray) -> np.ndarray:
    chance = np.zeros(scores.shape)
    chance[np.arange(len(scores)), scores.argmax(axis=1)] = 1
    return chance
