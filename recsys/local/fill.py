"""Fills Valkey with the features of the release's data, through Feast."""

from __future__ import annotations

from collections.abc import Callable

import redis

from recsys.errors import Unavailable
from recsys.local.service import Context
from recsys.local.shop_data import imported
from recsys.release.manifest import read_manifest
from recsys.settings import Settings

FILLED_KEY = "recsys:filled"
"""Holds the fingerprint of the data that Feast's online values were written from."""

_TIMEOUT_S = 5.0


def settings_at(settings: Settings, valkey_url: str) -> Settings:
    """The settings with Valkey where it really listens."""
    return settings.model_copy(update={"valkey": settings.valkey.model_copy(update={"url": valkey_url})})


def fill_features(context: Context, report: Callable[[str], None]) -> None:
    """Write the features of users, items and behaviour as of the release's data, unless they are there.

    Args:
        context: Settings, release and Valkey's endpoint.
        report: Told what is being done.

    Raises:
        BadUse: There is no data in the home.
        Unavailable: Valkey did not answer.
    """
    if context.release_dir is None:
        return
    window = read_manifest(context.release_dir).data
    wanted = f"{window.fingerprint}:{','.join(map(str, window.days))}".encode()
    url = context.endpoints["valkey"]["url"]
    client = redis.Redis.from_url(url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S)
    try:
        if client.get(FILLED_KEY) == wanted:
            return
        report("filling with features")
        _materialise(settings_at(context.settings, url), window.days)
        client.set(FILLED_KEY, wanted)
    except redis.RedisError as error:
        raise Unavailable("Valkey", str(error), "Run `recsys up` again") from error
    finally:
        client.close()


def _materialise(settings: Settings, days: tuple[int, ...]) -> None:
    # Feast takes seconds to import, and only the first `up` after a training needs it.
    from recsys.data.dataset import Dataset
    from recsys.features import feast_repo

    feast_repo.apply(settings)
    feast_repo.reset(settings)
    feast_repo.materialise(settings, Dataset.open(imported(settings.home)), days)
