"""The batch job: recommendations of all users, written to Valkey for when the ensemble is not to be had."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from queue import SimpleQueue
from typing import Final

import numpy as np
import redis

from recsys.features.feast_layout import PROJECT, entity_key_prefix
from recsys.online import keys
from recsys.online.batch_answer import HEADER_BYTES, BatchAnswer, release_of
from recsys.online.connection import answering
from recsys.serving.client import Recommendation, RecommendClient
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


@dataclass
class Outcome:
    """What a run did.

    Attributes:
        users: Whose answers it was asked for.
        written: Answers that it wrote.
        kept: Users who had one of the same release, young enough.
        degraded: Users whose answer came from a fallback, which is not worth keeping.
    """

    users: int = 0
    written: int = 0
    kept: int = 0
    degraded: int = 0

    @property
    def done(self) -> int:
        """Users who are dealt with."""
        return self.written + self.kept + self.degraded


class Precompute:
    """Asks the ensemble for many users, several batches at a time, and keeps the answers for a while.

    A run that was broken off goes on where it ended: who has an answer of the release that is served, with
    more than half of its life before it, is passed over.

    Args:
        tritons: Clients of a running Triton, one for each batch that may be under way.
        client: Client of Valkey with time limits.
        settings: Batch size, number of items, life of an answer.
        release: The release that is served; None to answer for everybody again.
    """

    def __init__(
        self,
        tritons: Sequence[RecommendClient],
        client: redis.Redis,
        settings: Settings,
        release: int | None = None,
    ) -> None:
        self._tritons: SimpleQueue[RecommendClient] = SimpleQueue()
        for triton in tritons:
            self._tritons.put(triton)
        self._width = len(tritons)
        self._client = client
        self._settings = settings
        self._release = release
        self._lock = threading.Lock()
        self.outcome = Outcome()

    def run(self, users: Iterable[int], progress: Callable[[Outcome], None] | None = None) -> Outcome:
        """Do it.

        Args:
            users: Whose; read only as far as batches can be asked.
            progress: Told after each batch how far it is.

        Raises:
            Unavailable: Triton or Valkey did not answer; what was written stays.
        """
        source, under_way = iter(users), set[Future[None]]()
        with ThreadPoolExecutor(self._width, thread_name_prefix="precompute") as threads:
            while True:
                while len(under_way) < self._width and (batch := self._next(source)):
                    under_way.add(threads.submit(self._answer, batch))
                if not under_way:
                    return self.outcome
                finished, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                for each in finished:
                    each.result()
                if progress is not None:
                    progress(self.outcome)

    def _next(self, users: Iterator[int]) -> list[int]:
        return list(islice(users, self._settings.serving.max_batch_size))

    def _answer(self, users: list[int]) -> None:
        asked = [user for user, fresh in zip(users, self._fresh(users), strict=True) if not fresh]
        written = 0
        if asked:
            triton = self._tritons.get()
            try:
                answers = triton.recommend(asked, top=self._settings.gateway.precompute_items)
            finally:
                self._tritons.put(triton)
            written = self._write(asked, answers)
        with self._lock:
            self.outcome.users += len(users)
            self.outcome.written += written
            self.outcome.kept += len(users) - len(asked)
            self.outcome.degraded += len(asked) - written

    def _fresh(self, users: Sequence[int]) -> list[bool]:
        """Who has an answer already that need not be made again."""
        if self._release is None:
            return [False] * len(users)
        with answering():
            pipeline = self._client.pipeline(transaction=False)
            for user in users:
                pipeline.getrange(keys.precomputed(user), 0, HEADER_BYTES - 1)
                pipeline.ttl(keys.precomputed(user))
            found = pipeline.execute()
        half = self._settings.gateway.precompute_ttl_s / 2
        heads = zip(found[::2], found[1::2], strict=True)
        return [release_of(head) == self._release and left > half for head, left in heads]

    def _write(self, users: Sequence[int], answers: Sequence[Recommendation]) -> int:
        """How many of the answers were worth keeping."""
        life_s = self._settings.gateway.precompute_ttl_s
        with answering():
            pipeline = self._client.pipeline(transaction=False)
            for user, answer in zip(users, answers, strict=True):
                if answer.ids and not answer.degraded:
                    scores = np.array(answer.scores, np.float32)
                    stored = BatchAnswer(answer.release, np.array(answer.ids), scores)
                    pipeline.set(keys.precomputed(user), stored.to_bytes(), ex=life_s)
            return len(pipeline.execute())


def _literal(prefix: bytes) -> bytes:
    """A prefix with what a pattern gives a meaning to escaped."""
    return b"".join(b"\\" + sign if sign in b"*?[]\\^" else sign for sign in map(_byte, prefix))


def _byte(value: int) -> bytes:
    return bytes([value])
