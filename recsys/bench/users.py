"""Users to ask for: a release's own, with something they have seen."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import redis

from recsys.errors import BadData
from recsys.online.seen import SeenFilter
from recsys.schema import ITEM_IDS_FILE
from recsys.settings import SeenSettings

_FEATURES: Final = "feast/user_features.parquet"


def draw(release_dir: Path, count: int, seed: int) -> list[int]:
    """Users of a release, drawn without replacement.

    Args:
        release_dir: The release, with Feast's rows.
        count: How many; all when there are fewer.
        seed: Of the draw.

    Raises:
        BadData: The release holds no users.
    """
    import pyarrow.parquet

    path = release_dir / _FEATURES
    try:
        known = pyarrow.parquet.read_table(path, columns=["user_id"])["user_id"].to_numpy()
    except (OSError, KeyError) as error:
        raise BadData(str(path), f"cannot be read ({error})", "Train the release again") from error
    if not len(known):
        raise BadData(str(path), "holds no user", "Train the release again")
    rng = np.random.default_rng(seed)
    return [int(user) for user in rng.choice(known, min(count, len(known)), replace=False)]


def mark_seen(client: redis.Redis, release_dir: Path, users: list[int], items: int, seed: int) -> None:
    """Give users a seen filter, as shoppers have one: without it the filter would cost nothing.

    Args:
        client: Client of the benchmark's own Valkey.
        release_dir: The release; its items are drawn from.
        users: Whose filters.
        items: Items each has seen.
        seed: Of the draw.

    Raises:
        Unavailable: Valkey did not answer.
    """
    catalogue = np.load(release_dir / ITEM_IDS_FILE, allow_pickle=False)
    rng = np.random.default_rng(seed)
    seen = SeenFilter(client, SeenSettings())
    for user in users:
        seen.add(user, rng.choice(catalogue, min(items, len(catalogue)), replace=False))
