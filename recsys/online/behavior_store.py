"""Where new top categories go: through Feast's push source to the online and the offline store."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final, Literal, Protocol

import redis

from recsys.errors import RecsysError, Unavailable
from recsys.online import keys
from recsys.online.connection import answering
from recsys.online.top_categories import Change
from recsys.settings import Settings


class BehaviorStore(Protocol):
    """The feature store's two sides."""

    def write_online(self, changes: Sequence[Change]) -> None:
        """Make each user's newest value the one that is served.

        Raises:
            Unavailable: The store cannot be written now.
        """

    def write_offline(self, changes: Sequence[Change]) -> None:
        """Add values to the history that training reads; the same ones again do no harm.

        Raises:
            Unavailable: The store cannot be written now.
        """


class FeastBehaviorStore:
    """Feast's push source `behavior_push`.

    The Feast SDK takes seconds to import; `open` does that ahead of the first event.

    Args:
        settings: Profile, home folder and Valkey's URL.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def open(self) -> None:
        """Import Feast and read its registry, which is made where it is missing.

        Raises:
            Unavailable: The registry cannot be written or Valkey does not answer.
        """
        from recsys.features import feast_repo

        try:
            feast_repo.apply(self._settings)
        except RecsysError as error:
            raise _as_unavailable(error) from error

    def write_online(self, changes: Sequence[Change]) -> None:
        """Push to Valkey; see `BehaviorStore.write_online`."""
        self._push(changes, "online")

    def write_offline(self, changes: Sequence[Change]) -> None:
        """Push to the offline store; see `BehaviorStore.write_offline`."""
        self._push(changes, "offline")

    def _push(self, changes: Sequence[Change], to: Literal["online", "offline"]) -> None:
        if not changes:
            return
        import pandas as pd

        from recsys.features import feast_repo

        frame = pd.DataFrame(changes, columns=list(Change._fields))
        try:
            feast_repo.push_behavior(self._settings, frame, to=to)
        except Unavailable:
            raise
        except RecsysError as error:
            # A registry that was damaged under us is mended by applying the repository again.
            self.open()
            raise _as_unavailable(error) from error


def _as_unavailable(error: RecsysError) -> Unavailable:
    return error if isinstance(error, Unavailable) else Unavailable(error.thing, error.cause, error.fix)


class BehaviorLog:
    """New values on their way to the offline store, which likes few large writes.

    They wait in a Valkey stream, so that a worker that dies loses none. The oldest are dropped beyond
    `MAX_BATCHES`: a broken offline store must not stop what shoppers see.

    Args:
        client: Client of Valkey with time limits.
    """

    MAX_BATCHES: Final = 100_000

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def append(self, changes: Sequence[Change]) -> None:
        """Let values wait.

        Raises:
            Unavailable: Valkey did not answer in time.
        """
        if changes:
            with answering():
                self._client.xadd(
                    keys.BEHAVIOR, {"rows": json.dumps(changes)}, maxlen=self.MAX_BATCHES, approximate=True
                )

    def flush(self, store: BehaviorStore, batches: int = 5_000) -> int:
        """Write what waits to the offline store and drop it here.

        Two workers at it at once write some values twice, which the history's readers do not notice.

        Args:
            store: Where to.
            batches: At most so many entries of the stream.

        Returns:
            How many values were written.

        Raises:
            Unavailable: Valkey or the store did not answer; nothing is dropped.
        """
        with answering():
            entries = self._client.xrange(keys.BEHAVIOR, count=batches)
        changes = [Change(*row) for _, fields in entries for row in json.loads(fields[b"rows"])]
        store.write_offline(changes)
        if entries:
            with answering():
                self._client.xdel(keys.BEHAVIOR, *(name for name, _ in entries))
        return len(changes)
