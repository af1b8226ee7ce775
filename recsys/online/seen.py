"""What each user has clicked, as Bloom filters in Valkey that age out by rotation.

Time is cut into generations of `rotation_s`. An item goes into the filter of the generation it was
clicked in, `seen:{user}:{generation}`, and each filter is deleted at one fixed moment, when the
generation after it ends; no write ever renews that. Readers ask the current generation and the one before
it, so an item is remembered for at least one and at most two rotations.

Where the server knows the BF.* commands they are used; elsewhere the filter is the byte string of
`recsys.online.bloom`.
"""

from __future__ import annotations

import numpy as np
import redis
from numpy.typing import ArrayLike, NDArray

from recsys.online import keys
from recsys.online.clock import Clock, wall_ms
from recsys.online.connection import answering
from recsys.online.seen_forms import BitmapForm, NativeForm, SeenForm, has_bloom_commands
from recsys.settings import SeenSettings


class SeenFilter:
    """The seen items of all users.

    Args:
        client: Client of Valkey with time limits.
        settings: Capacity, error rate, rotation and which of the two forms to use.
        now_ms: Clock, milliseconds since 1970.
    """

    def __init__(self, client: redis.Redis, settings: SeenSettings, now_ms: Clock = wall_ms) -> None:
        self._client = client
        self._settings = settings
        self._now_ms = now_ms
        self._rotation_ms = settings.rotation_s * 1000
        self._backend: SeenForm | None = None

    def add(self, user_id: int, item_ids: ArrayLike, at_ms: int | None = None) -> None:
        """Remember items that one user clicked; adding an item again changes nothing.

        Args:
            user_id: The user.
            item_ids: int64 [n].
            at_ms: When they were clicked, milliseconds since 1970; now when not given.

        Raises:
            Unavailable: Valkey did not answer in time; calling again is harmless.
        """
        items = np.atleast_1d(np.asarray(item_ids, dtype=np.int64))
        moment = self._now_ms() if at_ms is None else at_ms
        self.add_events(np.full(len(items), user_id), items, np.full(len(items), moment))

    def add_events(self, user_ids: ArrayLike, item_ids: ArrayLike, at_ms: ArrayLike) -> None:
        """Remember many users' clicks in one round trip.

        Clicks from before the user asked to be forgotten, or older than two rotations, are passed over; a
        click from the future counts as one of now.

        Args:
            user_ids: int64 [n].
            item_ids: int64 [n].
            at_ms: int64 [n], milliseconds since 1970.

        Raises:
            Unavailable: Valkey did not answer in time; calling again is harmless.
        """
        users, items, moments = (np.asarray(given, dtype=np.int64) for given in (user_ids, item_ids, at_ms))
        if not len(users):
            return
        current = self._now_ms() // self._rotation_ms
        groups: dict[tuple[int, int], list[tuple[int, int]]] = {}
        for user, item, moment in zip(users.tolist(), items.tolist(), moments.tolist(), strict=True):
            generation = min(moment // self._rotation_ms, current)
            if generation >= current - 1:
                groups.setdefault((user, generation), []).append((item, moment))
        if groups:
            with answering():
                form = self._form()
                form.add(self._client, [(*key, found) for key, found in groups.items()], self._rotation_ms)

    def contains(self, user_ids: ArrayLike, item_ids: ArrayLike) -> NDArray[np.bool_]:
        """Which candidates each user may have seen, in one round trip for the whole batch.

        Args:
            user_ids: int64 [B].
            item_ids: int64 [B, R].

        Returns:
            bool [B, R]. True is wrong for at most `error_rate` of unseen items; False is never wrong for
            items clicked within the last rotation.

        Raises:
            Unavailable: Valkey did not answer in time.
        """
        users = np.asarray(user_ids, dtype=np.int64).reshape(-1)
        items = np.ascontiguousarray(item_ids, dtype=np.int64)
        if not items.size:
            return np.zeros(items.shape, dtype=np.bool_)
        current = self._now_ms() // self._rotation_ms
        with answering():
            return self._form().contains(self._client, users, (current - 1, current), items)

    def forget(self, user_id: int, at_ms: int | None = None) -> None:
        """Delete a user's filters and refuse clicks from before now, so that a replay brings nothing back.

        Args:
            user_id: The user.
            at_ms: The moment up to which clicks are forgotten, milliseconds since 1970; now when not given.

        Raises:
            Unavailable: Valkey did not answer in time.
        """
        now = self._now_ms()
        current = now // self._rotation_ms
        filters = [form.key(user_id, current - age) for form in self._forms() for age in (0, 1, -1)]
        moment, tombstone = now if at_ms is None else at_ms, keys.forgotten(user_id)

        def bury(pipeline: redis.client.Pipeline) -> None:
            before = int(pipeline.get(tombstone) or -1)
            pipeline.multi()
            pipeline.set(tombstone, max(before, moment))
            pipeline.delete(*filters)

        with answering():
            self._client.transaction(bury, tombstone)

    def _forms(self) -> tuple[SeenForm, SeenForm]:
        # Both generations together stay within the error rate, so each may use half of it.
        capacity, share = self._settings.capacity, self._settings.error_rate / 2
        return NativeForm(capacity, share), BitmapForm(capacity, share)

    def _form(self) -> SeenForm:
        if self._backend is None:
            native, bitmap = self._forms()
            form = self._settings.form
            if form == "auto":
                form = "native" if has_bloom_commands(self._client) else "bitmap"
            self._backend = native if form == "native" else bitmap
        return self._backend
