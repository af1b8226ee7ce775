"""The batch job: recommendations of all users, written to Valkey for when the ensemble is not to be had."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final

import numpy as np
import redis

from recsys.features.feast_layout import PROJECT, entity_key_prefix
from recsys.online import keys
from recsys.online.batch_answer import BatchAnswer
from recsys.online.connection import answering
from recsys.serving.client import RecommendClient
from recsys.settings import Settings

_SCAN: Final = 1_000


def known_users(client: redis.Redis) -> Iterator[int]:
    """Every user of whom the feature store knows anything; a few may come twice.

    Args:
        client: Client of Valkey with time limits.

    Raises:
        Unavailable: Valkey did not answer in time.
    """
    prefix, suffix = entity_key_prefix("user_id"), PROJECT.encode()
    length = len(prefix) + 8 + len(suffix)
    with answering():
        for key in client.scan_iter(_literal(prefix) + b"*", count=_SCAN):
            if len(key) == length and key.endswith(suffix):
                yield int.from_bytes(key[len(prefix) : len(prefix) + 8], "little", signed=True)


def precompute(
    users: Iterable[int],
    triton: RecommendClient,
    client: redis.Redis,
    settings: Settings,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Ask the ensemble for many users and keep the answers for `precompute_ttl_s`.

    Args:
        users: Whose.
        triton: A running Triton; its time limit must allow for a full batch.
        client: Client of Valkey with time limits.
        settings: Batch size, number of items, life of an answer.
        progress: Told how many users are done.

    Returns:
        How many answers were written; those that came from a fallback themselves are not.

    Raises:
        Unavailable: Triton or Valkey did not answer; what was written stays.
    """
    source, done, written = iter(users), 0, 0
    while batch := list(islice(source, settings.serving.max_batch_size)):
        answers = triton.recommend(batch, top=settings.gateway.precompute_items)
        with answering():
            pipeline = client.pipeline(transaction=False)
            for user, answer in zip(batch, answers, strict=True):
                if answer.ids and not answer.degraded:
                    stored = BatchAnswer(
                        answer.release, np.array(answer.ids), np.array(answer.scores, np.float32)
                    )
                    pipeline.set(
                        keys.precomputed(user), stored.to_bytes(), ex=settings.gateway.precompute_ttl_s
                    )
            written += len(pipeline.execute())
        done += len(batch)
        if progress is not None:
            progress(done)
    return written


def _literal(prefix: bytes) -> bytes:
    """A prefix with what a pattern gives a meaning to escaped."""
    return b"".join(b"\\" + sign if sign in b"*?[]\\^" else sign for sign in map(_byte, prefix))


def _byte(value: int) -> bytes:
    return bytes([value])
