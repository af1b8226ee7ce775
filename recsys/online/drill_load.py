"""Load on a gateway while a drill goes on: shoppers who ask and click at a steady rate."""

from __future__ import annotations

import asyncio
import random
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

_GIVE_UP_S: Final = 5.0  # far beyond what counts as answered, so that a late answer is seen as late
_RESEND_S: Final = 1.0
_CLICK_SHARE: Final = 0.2


@dataclass(frozen=True)
class Asked:
    """One request for recommendations.

    Attributes:
        at: When it was due, monotonic seconds.
        seconds: From then to the answer.
        status: HTTP status; 0 when none came.
        items: How many items it brought.
        degraded: Its bits.
    """

    at: float
    seconds: float
    status: int
    items: int
    degraded: int


@dataclass
class Shoppers:
    """An open-loop load: requests are sent when they are due, so that a slow answer delays no other.

    Args:
        url: The gateway.
        token: API key.
        users: Who asks.
        item_ids: What is clicked.
        rate: Requests a second, a fifth of them clicks.
        seed: Of who asks and clicks what.
    """

    url: str
    token: str
    users: Sequence[int]
    item_ids: Sequence[int]
    rate: float
    seed: int = 0
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    asked: list[Asked] = field(default_factory=list)
    clicked: dict[str, dict[str, Any]] = field(default_factory=dict)
    accepted: set[str] = field(default_factory=set)

    def __enter__(self) -> Shoppers:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)

    async def _run(self) -> None:
        rng = random.Random(self.seed)
        timeout = aiohttp.ClientTimeout(total=_GIVE_UP_S)
        headers = {"authorization": f"Bearer {self.token}"}
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(
            self.url, timeout=timeout, headers=headers, connector=connector
        ) as session:
            tasks: set[asyncio.Task[None]] = set()
            due = time.monotonic()
            while not self._stop.is_set():
                due += rng.expovariate(self.rate)  # arrivals of a Poisson process
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                user = rng.choice(self.users)
                if rng.random() < _CLICK_SHARE:
                    work = self._click(session, user, rng.choice(self.item_ids))
                else:
                    work = self._ask(session, user, due)
                task = asyncio.create_task(work)
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            await asyncio.gather(*tasks)

    async def _ask(self, session: aiohttp.ClientSession, user: int, due: float) -> None:
        status = items = degraded = 0
        try:
            async with session.post("/v1/recommendations", json={"user_id": user}) as answer:
                status = answer.status
                if status == 200:
                    body = await answer.json()
                    items, degraded = len(body["items"]), body["degraded"]
        except (aiohttp.ClientError, TimeoutError):
            status = 0
        self.asked.append(Asked(due, time.monotonic() - due, status, items, degraded))

    async def _click(self, session: aiohttp.ClientSession, user: int, item: int) -> None:
        """Send a click, and send it again under the same id until it is accepted, as a shop should."""
        name = f"drill-{self.run_id}-{len(self.clicked)}"
        event = {"event_id": name, "user_id": user, "item_id": item}
        self.clicked[name] = event
        while True:
            wait_s = _RESEND_S
            try:
                async with session.post("/v1/events", json=event) as answer:
                    if answer.status == 202:
                        self.accepted.add(name)
                        return
                    wait_s = float(answer.headers.get("retry-after", wait_s))
            except (aiohttp.ClientError, TimeoutError):
                wait_s = _RESEND_S
            if self._stop.is_set():
                return
            await asyncio.sleep(wait_s)
