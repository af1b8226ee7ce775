"""What a release answers by itself, in this process, and whether a replica answers the same."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol

import numpy as np
import redis

from recsys.errors import RecsysError
from recsys.online.requests import Request
from recsys.schema import NO_ITEM, UNKNOWN
from recsys.serving.chain import Chain
from recsys.settings import Settings

_COMPARED: Final = ("ordered_ids", "ordered_scores", "degraded")
_TRIES: Final = 3
_RETRY_S: Final = 0.2


class Asked(Protocol):
    """Whatever answers the ensemble's inputs."""

    name: str

    def ask(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The answer to inputs of [B, ...]."""
        ...


class OwnAnswers:
    """A release's stages in this process, over the same Valkey as the replicas.

    Args:
        release_dir: Folder of the release.
        settings: Widths and parameters, as the replicas were started with.
        client: Client of Valkey; without one the stages that ask it answer from their fallbacks.
        tolerance: How far scores may lie apart: other hardware adds in another order.

    Raises:
        RecsysError: An artefact is missing or damaged.
    """

    def __init__(
        self,
        release_dir: Path,
        settings: Settings,
        client: redis.Redis | None,
        tolerance: float = 1e-5,
    ) -> None:
        self._release_dir = release_dir
        self._chain = Chain(release_dir, settings, client)
        self._tolerance = tolerance

    def answer(self, request: Request) -> dict[str, np.ndarray]:
        """The release's own answer."""
        tensors = self._chain.run(request.inputs())
        return {name: tensors[name] for name in _COMPARED}

    def compare(self, replica: Asked, requests: Sequence[Request]) -> None:
        """Ask a replica and require the release's own answers; this warms it, too.

        A click between the two answers changes what a user has seen, so a pair that differs is asked again.

        Raises:
            RecsysError: The replica fails or answers otherwise.
        """
        for request in requests:
            for attempt in range(_TRIES):
                cause = difference(replica.ask(request.inputs()), self.answer(request), self._tolerance)
                if cause is None:
                    break
                time.sleep(_RETRY_S * attempt)
            else:
                raise RecsysError(
                    f"replica {replica.name}",
                    f"user {request.user_id}: {cause} than {self._release_dir} by itself",
                    "Do not serve the release there",
                )

    def close(self) -> None:
        """Stop what the stages run in the background."""
        self._chain.close()

    def __enter__(self) -> OwnAnswers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def difference(
    one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray], tolerance: float
) -> str | None:
    """What sets two answers of one user apart, None if nothing does.

    Items may change places only where their scores lie within the tolerance of each other.

    Args:
        one: ordered_ids [1, N], ordered_scores [1, N] and degraded [1, 1].
        other: The same.
        tolerance: On scores, absolute.
    """
    if not np.array_equal(one["degraded"], other["degraded"]):
        return "another fallback"
    ids, others = one["ordered_ids"][0], other["ordered_ids"][0]
    if ids.shape != others.shape or (ids == NO_ITEM).sum() != (others == NO_ITEM).sum():
        return f"{(ids != NO_ITEM).sum()} items rather than {(others != NO_ITEM).sum()}"
    held = ids != NO_ITEM
    scores, expected = one["ordered_scores"][0][held], other["ordered_scores"][0][held]
    if not np.allclose(scores, expected, rtol=0, atol=tolerance):
        return f"scores other by up to {np.abs(scores - expected).max():.3g}"
    moved = ids[held] != others[held]
    gaps = np.abs(np.diff(expected, prepend=np.inf, append=-np.inf))
    tied = np.minimum(gaps[:-1], gaps[1:]) <= 2 * tolerance
    return "other items" if (moved & ~tied).any() else None


def sample(release_dir: Path, now: int, count: int) -> list[Request]:
    """Requests for a release that no gateway recorded any for: users it knows, visitors it does not.

    Args:
        release_dir: Folder of the release.
        now: Unix seconds.
        count: How many, at least one.
    """
    path = release_dir / "user_workflow.npz"
    with np.load(path, allow_pickle=False) as arrays:
        known = arrays["user_id.values"] if "user_id.values" in arrays else np.empty(0, np.int64)
    rng = np.random.default_rng(len(known))
    users = [UNKNOWN, *rng.choice(known, min(count, len(known)), replace=False).tolist()][:count]
    return [Request(int(user), place % 4 - 1, now - 3_600 * place) for place, user in enumerate(users)]
