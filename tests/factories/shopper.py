"""Somebody who asks and clicks through a system's gateway."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

from factories.taste_shop import categories

from recsys.online.drill_system import System


class Shopper:
    """Talks to a system's gateway."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.category = categories(system.home)

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        token: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, Any]:
        request = urllib.request.Request(
            f"{self.system.url}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "content-type": "application/json",
                "authorization": f"Bearer {token or self.system.token}",
                **(headers or {}),
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def recommend(self, user: int, headers: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
        status, body = self.call("POST", "/v1/recommendations", {"user_id": user, **more}, headers=headers)
        assert status == 200, body
        return body

    def top(self, user: int, **more: Any) -> list[int]:
        return [item["item_id"] for item in self.recommend(user, **more)["items"]]

    def click(self, user: int, *items: int) -> None:
        events = [{"user_id": user, "item_id": item} for item in items]
        status, body = self.call("POST", "/v1/events", {"events": events})
        assert status == 202, body

    def items_of(self, category: int, count: int, offset: int = 0) -> list[int]:
        return [item for item, found in self.category.items() if found == category][offset : offset + count]

    def share(self, items: list[int], category: int) -> float:
        return sum(self.category[item] == category for item in items) / max(1, len(items))


def wait_until(check: Callable[[], bool], seconds: float = 60.0) -> float | None:
    """How long it took until a check held; None if it did not in time."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if check():
            return time.monotonic() - began
        time.sleep(0.05)
    return None
