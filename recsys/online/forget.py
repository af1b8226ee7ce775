"""Forgetting a user: everything the loop keeps of them, for good."""

from __future__ import annotations

import redis

from recsys.features.feast_layout import BEHAVIOR_VIEW, entity_key, field_name
from recsys.online import exposures, keys, requests
from recsys.online.clock import Clock, wall_ms
from recsys.online.connection import answering
from recsys.online.seen import SeenFilter
from recsys.settings import SeenSettings


class Forgetter:
    """Deletes a user's seen filter, items, clicks, behaviour features, recorded requests and exposures.

    A tombstone stays, without which a replay of old events would bring it all back; it holds a time and
    nothing else. Counts of popularity hold no user and stay.

    Args:
        client: Client of Valkey with time limits.
        seen: Settings of the seen filter.
        now_ms: Clock, milliseconds since 1970.
    """

    def __init__(self, client: redis.Redis, seen: SeenSettings, now_ms: Clock = wall_ms) -> None:
        self._client = client
        self._seen = SeenFilter(client, seen, now_ms)
        self._now_ms = now_ms

    def forget(self, user_id: int, at_ms: int | None = None) -> int:
        """Forget a user; a second time is harmless.

        Args:
            user_id: The user.
            at_ms: Moment up to which events are refused from now on; now when not given.

        Returns:
            That moment, milliseconds since 1970.

        Raises:
            Unavailable: Valkey did not answer in time; some of it may be deleted.
        """
        moment = self._now_ms() if at_ms is None else at_ms
        # First the tombstone, which `SeenFilter.forget` sets: after it no event can bring anything back.
        self._seen.forget(user_id, moment)
        with answering():
            pipeline = self._client.pipeline(transaction=True)
            pipeline.delete(keys.recent(user_id), keys.window(user_id))
            pipeline.zrem(keys.DUE, user_id)
            pipeline.execute()
        self.clear_features(user_id)
        requests.forget(self._client, user_id)
        exposures.forget(self._client, user_id)
        return moment

    def clear_features(self, user_id: int) -> None:
        """Delete a user's behaviour features, unless there were clicks since.

        The worker does so again when it meets the request in the event log: only then is it sure that no
        write of its own was under way.

        Args:
            user_id: The user.

        Raises:
            Unavailable: Valkey did not answer in time.
        """
        with answering():
            if self._client.exists(keys.window(user_id)):
                return
            # Feast cannot delete one view's row; without its fields the view knows no such user.
            fields = (field_name(BEHAVIOR_VIEW, "top_category"), f"_ts:{BEHAVIOR_VIEW}")
            self._client.hdel(entity_key("user_id", user_id), *fields)
