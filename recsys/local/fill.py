"""Fills Valkey with the features that a release was trained with, through Feast."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import redis

from recsys.errors import Unavailable
from recsys.local.service import Context
from recsys.release.manifest import Manifest, read_manifest
from recsys.settings import Settings

FILLED_KEY = "recsys:filled"
"""Holds the digest of the release whose features were written last."""

_FEAST_DIR = "feast"
_TIMEOUT_S = 5.0
_ROWS_A_WRITE = 10_000  # bounds memory and the length of one pipeline


def settings_at(settings: Settings, valkey_url: str) -> Settings:
    """The settings with Valkey where it really listens."""
    return settings.model_copy(update={"valkey": settings.valkey.model_copy(update={"url": valkey_url})})


def fill_features(context: Context, report: Callable[[str], object], *, fresh: bool = True) -> None:
    """Write the release's features of users, items and behaviour, unless they were the last ones written.

    Args:
        context: Settings, release and Valkey's endpoint.
        report: Told what is being done.
        fresh: Whether a full training may start from an empty store; not while shoppers are served from it.

    Raises:
        Unavailable: Valkey did not answer.
    """
    if context.release is None:
        return
    folder = context.releases / str(context.release)
    manifest = read_manifest(folder)
    wanted = ",".join(
        f"{name}={entry.sha256}"
        for name, entry in sorted(manifest.files.items())
        if name.startswith(_FEAST_DIR)
    )
    url = context.endpoints["valkey"]["url"]
    client = redis.Redis.from_url(url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S)
    try:
        if (client.get(FILLED_KEY) or b"").decode() == wanted:
            return
        report("filling it with features")
        write_features(settings_at(context.settings, url), folder / _FEAST_DIR, manifest, fresh=fresh)
        client.set(FILLED_KEY, wanted)
    except redis.RedisError as error:
        raise Unavailable("Valkey", str(error), "Run `recsys up` again") from error
    finally:
        client.close()


def write_features(settings: Settings, folder: Path, manifest: Manifest, *, fresh: bool = True) -> None:
    """Write a release's feature rows to Feast's online store.

    A full training starts from an empty store, since its shop may be another one; any other release keeps
    what users did since.

    Args:
        settings: Profile, home and Valkey's URL.
        folder: One parquet file a feature view.
        manifest: The release's.
        fresh: False keeps what is there, whatever the release.

    Raises:
        Unavailable: Valkey did not answer.
    """
    # Feast takes seconds to import, and only the first `up` after a training needs it.
    import pandas as pd

    from recsys.features import feast_repo
    from recsys.features.feast_store import one_line_errors, open_store
    from recsys.features.online_store import BEHAVIOR_VIEW

    feast_repo.apply(settings)
    if manifest.kind == "full" and fresh:
        feast_repo.reset(settings)
    now = pd.Timestamp(time.time(), unit="s", tz="UTC").floor("s")
    with one_line_errors(settings):
        store = open_store(settings)
        for path in sorted(folder.glob("*.parquet")):
            rows = pd.read_parquet(path)
            if path.stem != BEHAVIOR_VIEW:
                # Feast drops a row that is older than the stored one; users and items hold as of now.
                rows = rows.assign(event_timestamp=now)
            for begin in range(0, len(rows), _ROWS_A_WRITE):
                store.write_to_online_store(path.stem, rows.iloc[begin : begin + _ROWS_A_WRITE])
