"""Whether clicks change the answers: trials on a release, through gateway, event log, worker and ensemble.

A trial asks for a user's ten, clicks three items of a category that is not the user's own, and asks again
until that category's share has risen and the clicked items are gone. Known users are asked, and visitors whom
nobody knew. All runs on servers of its own, which see the home's current release and nothing else of it.
"""

from __future__ import annotations

import json
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from recsys.errors import BadUse, RecsysError, Unavailable
from recsys.features.online_store import UserFeatureReader
from recsys.local.fill import write_features
from recsys.online.drill_system import System
from recsys.release.assemble import FEAST_DIR
from recsys.release.manifest import read_manifest
from recsys.release.store import ReleaseStore
from recsys.schema import ITEM_FEATURES_FILE, USER_WORKFLOW
from recsys.settings import Settings

CLICKS: Final = 3
WITHIN_S: Final = 5.0
SHOWN: Final = 10
NEW_USERS: Final = 9_000_000_000
"""Ids from here on are taken for visitors whom nobody knew."""

_POLL_S: Final = 0.1
_TIMEOUT_S: Final = 10.0
_LEAST_ITEMS: Final = 10
"""A category with fewer cannot fill a list."""


class Shop(Protocol):
    """Who is asked, and told of clicks."""

    def top(self, user_id: int) -> list[int]:
        """The items shown to a user, at most `SHOWN`."""
        ...

    def click(self, user_id: int, items: Sequence[int]) -> None:
        """Reports clicks."""
        ...


@dataclass(frozen=True)
class Trial:
    """What became of one.

    Attributes:
        user_id: Who clicked.
        category: Of the clicked items.
        before: The category's share of what was shown before.
        after: Its share at the end.
        gone: Whether none of the clicked items was shown at the end.
        seconds: From the clicks to an answer with a greater share and none of the items; None: not in time.
    """

    user_id: int
    category: int
    before: float
    after: float
    gone: bool
    seconds: float | None


def trial(shop: Shop, category_of: Mapping[int, int], user_id: int, items: Sequence[int]) -> Trial:
    """Clicks some items of one category and waits for the answer to follow.

    Args:
        shop: Asked and told.
        category_of: Category of each item.
        user_id: Who clicks.
        items: What is clicked, all of one category.
    """
    category = category_of[items[0]]

    def share(shown: list[int]) -> float:
        return sum(category_of.get(item) == category for item in shown) / max(len(shown), 1)

    before = share(shop.top(user_id))
    shop.click(user_id, items)
    began = time.monotonic()
    while True:
        shown = shop.top(user_id)
        after, gone = share(shown), not set(items) & set(shown)
        passed = time.monotonic() - began
        if gone and after > before:
            return Trial(user_id, category, before, after, gone, round(passed, 2))
        if passed > WITHIN_S:
            return Trial(user_id, category, before, after, gone, None)
        time.sleep(_POLL_S)


def run_trials(
    shop: Shop, category_of: Mapping[int, int], usual: Mapping[int, int], seed: int = 0
) -> list[Trial]:
    """One trial a user, each in a category drawn among those that are not the user's own.

    Args:
        shop: Asked and told.
        category_of: Category of each item.
        usual: The users, and the category of each; any number for users without one.
        seed: Of the draws.

    Raises:
        BadUse: There are less than two categories with enough items.
    """
    by_category: dict[int, list[int]] = {}
    for item, category in category_of.items():
        by_category.setdefault(category, []).append(item)
    large = sorted(category for category, items in by_category.items() if len(items) >= _LEAST_ITEMS)
    if len(large) < 2:
        raise BadUse("categories", f"only {len(large)} hold {_LEAST_ITEMS} items", "Use a larger catalogue")
    rng = np.random.default_rng(seed)
    found = []
    for user, own in usual.items():
        category = int(rng.choice([category for category in large if category != own]))
        items = rng.choice(sorted(by_category[category]), CLICKS, replace=False)
        found.append(trial(shop, category_of, user, items.tolist()))
    return found


def summary(trials: Sequence[Trial]) -> dict[str, Any]:
    """How many trials reacted in time, and by how much."""
    seconds = [each.seconds for each in trials if each.seconds is not None]
    return {
        "trials": len(trials),
        "reacted": len(seconds),
        "median_s": round(float(np.median(seconds)), 2) if seconds else None,
        "share_before": round(float(np.mean([each.before for each in trials])), 3),
        "share_after": round(float(np.mean([each.after for each in trials])), 3),
    }


class GatewayShop:
    """A shop behind a running gateway.

    Args:
        url: Where the gateway is.
        token: A key that may read and write.
    """

    def __init__(self, url: str, token: str) -> None:
        self._url, self._token = url, token

    def top(self, user_id: int) -> list[int]:
        """The items shown to a user.

        Raises:
            RecsysError: The gateway refused, or answered from a fallback.
        """
        answer = self._post("/v1/recommendations", {"user_id": user_id, "top_k": SHOWN})
        if answer["degraded"]:
            raise RecsysError(
                "recommendation", f"served from a fallback: {answer['fallbacks']}", "See the logs"
            )
        return [item["item_id"] for item in answer["items"]]

    def click(self, user_id: int, items: Sequence[int]) -> None:
        """Reports clicks."""
        self._post("/v1/events", {"events": [{"user_id": user_id, "item_id": item} for item in items]})

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._token}"}
        request = urllib.request.Request(f"{self._url}{path}", json.dumps(body).encode(), headers)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - always http
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise RecsysError("gateway", f"HTTP status {error.code}", "See its log") from error
        except OSError as error:
            raise Unavailable("gateway", str(error), "See its log") from error


def measure(
    settings: Settings, trials: int = 10, seed: int = 0, progress: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Runs trials on the current release of a home.

    Args:
        settings: The home and how it is served.
        trials: How many of known users, and of new ones.
        seed: Of the users, categories and items.
        progress: Told what is being done.

    Returns:
        {"release": int, "known": {"trials", "reacted", "median_s", "share_before", "share_after",
        "each": [...]}, "new": {the same}}.

    Raises:
        BadUse: There is no release.
        Unavailable: A server did not start.
    """
    store = ReleaseStore(settings.home / "releases")
    number = store.current()
    if number is None:
        raise BadUse(str(settings.home), "no release yet", "Make one with `recsys pipeline run full`")
    folder = store.path(number)
    with tempfile.TemporaryDirectory(prefix="recsys-reaction-") as scratch:
        (Path(scratch) / "releases").symlink_to(store.root.resolve(), target_is_directory=True)
        progress("starting servers")
        with System(Path(scratch), _patient(settings)) as system:
            progress("filling Valkey with features")
            write_features(system.settings, folder / FEAST_DIR, read_manifest(folder))
            shop, category_of = GatewayShop(system.url, system.token), categories(folder)
            known = usual_categories(system, folder, trials, seed)
            new = dict.fromkeys(range(NEW_USERS, NEW_USERS + trials), -1)
            _warm_up(shop)
            document: dict[str, Any] = {"release": number}
            for name, users in (("known", known), ("new", new)):
                progress(f"{name} users click")
                found = run_trials(shop, category_of, users, seed)
                document[name] = summary(found) | {"each": [asdict(each) for each in found]}
    return document


def categories(release_dir: Path) -> dict[int, int]:
    """The top-level category of each item of a release."""
    with np.load(release_dir / ITEM_FEATURES_FILE, allow_pickle=False) as raw:
        return dict(zip(raw["item_id"].tolist(), raw["category_l1"].tolist(), strict=True))


def usual_categories(system: System, release_dir: Path, count: int, seed: int) -> dict[int, int]:
    """Some users of a release, and the top category of each in the feature store."""
    with np.load(release_dir / f"{USER_WORKFLOW}.npz", allow_pickle=False) as arrays:
        users = arrays["user_id.values"]
    chosen = np.random.default_rng(seed).choice(users[users >= 0], count, replace=False)
    with system.client() as client:
        top = UserFeatureReader(client).read(chosen).top_category
    return dict(zip(chosen.tolist(), top.tolist(), strict=True))


def _patient(settings: Settings) -> Settings:
    """A busy machine must not look like one that does not react; and Feast's item values are read at once."""
    limits = settings.valkey.model_copy(update={"timeout_s": 2.0, "connect_timeout_s": 2.0})
    serving = settings.serving.model_copy(update={"item_refresh_s": 1.0})
    return settings.model_copy(update={"valkey": limits, "serving": serving})


def _warm_up(shop: Shop) -> None:
    """Waits until nothing is served from a fallback, such as items' values before the first refresh."""
    deadline = time.monotonic() + 60
    while True:
        try:
            shop.top(NEW_USERS - 1)
        except RecsysError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_POLL_S)
        else:
            return
