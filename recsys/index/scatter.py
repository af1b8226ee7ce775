"""A catalogue in parts that are asked at once, here or on other machines, and whose answers are merged.

What a part finds of its own items is what the whole would have found of them, so the merged answer is that of
one index over all items, as exact as the parts are. A part is anything with the two methods of `Part`: an
`Index` in this process, a Triton server (`recsys.index.triton_part`), an external vector database.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, Protocol, TypeVar

import numpy as np

from recsys.errors import Unavailable
from recsys.schema import NO_ITEM

_log = logging.getLogger(__name__)
T = TypeVar("T")


class Part(Protocol):
    """Some of a catalogue's items, numbered from 0. Calls come from several threads."""

    def search(
        self, queries: np.ndarray, k: int, allowed: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The k of its items with the greatest inner product; see `Index.search`.

        Raises:
            Unavailable: It did not answer within its time limit.
        """
        ...

    def inner_products(self, queries: np.ndarray, items: np.ndarray) -> np.ndarray:
        """The scores that given items of its own have; see `Index.inner_products`.

        Raises:
            Unavailable: It did not answer within its time limit.
        """
        ...


class Found(NamedTuple):
    """What was found, and by whom not.

    Attributes:
        scores: float32 [B, k], best first, -inf where there is none.
        items: int64 [B, k], `NO_ITEM` where there is none.
        silent: Numbers of the parts that did not answer.
    """

    scores: np.ndarray
    items: np.ndarray
    silent: tuple[int, ...]


class Scattered:
    """Searches parts like an `Index`.

    Args:
        parts: Consecutive parts of the catalogue, in its order.
        sizes: Items of each.
    """

    def __init__(self, parts: Sequence[Part], sizes: Sequence[int]) -> None:
        self._parts = list(parts)
        self._starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        self._pool = ThreadPoolExecutor(len(parts), thread_name_prefix="shard")

    def search(
        self, queries: np.ndarray, k: int, allowed: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The k items with the greatest inner product; see `Index.search`.

        Raises:
            Unavailable: A part did not answer.
        """
        found = self.search_those_there(queries, k, allowed)
        if found.silent:
            raise _silence(found.silent)
        return found.scores, found.items

    def search_those_there(self, queries: np.ndarray, k: int, allowed: np.ndarray | None = None) -> Found:
        """The k items with the greatest inner product, of the parts that answer.

        Raises:
            Unavailable: None does.
        """

        def ask(at: int) -> tuple[np.ndarray, np.ndarray]:
            start, end = self._starts[at], self._starts[at + 1]
            part = None if allowed is None else np.ascontiguousarray(allowed[..., start:end])
            scores, items = self._parts[at].search(queries, k, part)
            return scores, np.where(items == NO_ITEM, NO_ITEM, items + start)

        answers, silent = self._ask_all(ask)
        if not answers:
            raise _silence(silent)
        return Found(*merge(list(answers.values()), k), silent)

    def inner_products(self, queries: np.ndarray, items: np.ndarray) -> np.ndarray:
        """The scores that given items have; see `Index.inner_products`.

        Returns:
            float32 [B, S], -inf where there is no item or its part did not answer.
        """
        part_of = np.searchsorted(self._starts, items, side="right") - 1

        def ask(at: int) -> np.ndarray | None:
            own = part_of == at
            if not own.any():
                return None
            return self._parts[at].inner_products(queries, np.where(own, items - self._starts[at], NO_ITEM))

        scores = np.full(items.shape, -np.inf, np.float32)
        for at, found in self._ask_all(ask)[0].items():
            if found is not None:
                scores = np.where(part_of == at, found, scores)
        return scores

    def close(self) -> None:
        """End the threads that ask."""
        self._pool.shutdown(wait=False)

    def _ask_all(self, ask: Callable[[int], T]) -> tuple[dict[int, T], tuple[int, ...]]:
        """What each part answered, and the parts that did not; each bounds its own time."""
        waiting: list[Future[T]] = [self._pool.submit(ask, at) for at in range(len(self._parts))]
        answers, silent = {}, []
        for at, each in enumerate(waiting):
            try:
                answers[at] = each.result()
            except Unavailable as error:
                _log.debug("part %d: %s", at, error)  # its circuit breaker has warned
                silent.append(at)
        return answers, tuple(silent)


def merge(answers: Sequence[tuple[np.ndarray, np.ndarray]], k: int) -> tuple[np.ndarray, np.ndarray]:
    """The best k of several answers to the same queries.

    Args:
        answers: scores float32 [B, k] and items int64 [B, k] each; -inf and `NO_ITEM` where there is none.
        k: How many.

    Returns:
        scores float32 [B, k] and items int64 [B, k], best first; of equal scores the first answer's.
    """
    scores = np.concatenate([found for found, _ in answers], axis=1)
    items = np.concatenate([found for _, found in answers], axis=1)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(scores, order, axis=1), np.take_along_axis(items, order, axis=1)


def _silence(parts: Sequence[int]) -> Unavailable:
    numbers = ", ".join(map(str, parts))
    return Unavailable(f"index part {numbers}", "did not answer in time", "See the log of its server")
