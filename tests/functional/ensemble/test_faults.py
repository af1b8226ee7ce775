"""Parts fail while a real Triton serves: an answer always, its bits honest, recovery without a restart."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from factories.release import make_release
from factories.shop_server import SERVING, Shop

from recsys import schema
from recsys.errors import RecsysError
from recsys.local.valkey import ValkeyServer
from recsys.online.seen import SeenFilter
from recsys.schema import Degraded
from recsys.serving import repository
from recsys.serving.client import RecommendClient
from recsys.serving.triton import TritonServer
from recsys.settings import SeenSettings, Settings

pytestmark = pytest.mark.functional

AT = 1_700_000_000
USER = 3
PATIENCE_S = 20.0


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not recover"
        time.sleep(0.05)


def degraded(shop: Shop) -> int:
    (found,) = shop.client.recommend([USER], timestamp=AT)
    assert len(found.ids) == 30
    return found.degraded


def test_valkey_hangs_then_dies_then_comes_back(own_shop: Shop) -> None:
    shop = own_shop
    seen = shop.client.recommend([USER], timestamp=AT)[0].ids[:3]
    SeenFilter(shop.store, SeenSettings()).add(USER, seen)
    assert not set(seen) & set(shop.client.recommend([USER], timestamp=AT)[0].ids)
    without_store = Degraded.USER_FEATURES | Degraded.SEEN_FILTER
    assert shop.valkey.process is not None

    os.kill(shop.valkey.process.pid, signal.SIGSTOP)
    for _ in range(30):
        assert degraded(shop) & without_store == without_store
    # The cache of item values outlives a short fault and says so once its values are old.
    until(lambda: bool(degraded(shop) & Degraded.ITEM_FEATURES))
    os.kill(shop.valkey.process.pid, signal.SIGCONT)
    until(lambda: degraded(shop) == 0)

    port = shop.valkey.port
    os.kill(shop.valkey.process.pid, signal.SIGKILL)
    until(lambda: degraded(shop) & without_store == without_store)
    with ValkeyServer(shop.home / "valkey", port=port):
        until(lambda: degraded(shop) == 0)
        assert not set(seen) & set(shop.client.recommend([USER], timestamp=AT)[0].ids)


def test_item_values_follow_feast_without_a_restart(own_shop: Shop) -> None:
    from factories.feast_values import put_item

    before = shop_scores(own_shop)
    for item in own_shop.item_ids:
        put_item(own_shop.store, item, price=1e6)
    until(lambda: shop_scores(own_shop) != before)


def shop_scores(shop: Shop) -> list[float]:
    return shop.client.recommend([USER], timestamp=AT)[0].scores


def test_a_killed_triton_leaves_nothing_and_a_stopped_one_neither(own_shop: Shop) -> None:
    shop = own_shop
    assert shop.triton.process is not None
    os.kill(shop.triton.process.pid, signal.SIGKILL)
    shop.triton.stop()
    prefix = (shop.home / "triton" / "shm_prefix").read_text()
    assert not list(Path("/dev/shm").glob(f"{prefix}*"))

    shop.triton.start()
    with RecommendClient(shop.triton.endpoints["grpc"], timeout_s=10) as client:
        until(lambda: client.recommend([USER])[0].degraded == 0)
    group = shop.triton.process.pid
    assert len(members(group)) == (1 if shop.settings.serving.stages == "embedded" else 15)
    shop.triton.stop()
    until(lambda: not members(group))


def members(group: int) -> list[int]:
    """Processes of a group that have not ended."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[2]) == group and fields[0] not in "ZX":
            found.append(int(stat.parent.name))
    return found


@pytest.mark.parametrize("stages", ["processes", "embedded"])
def test_a_broken_release_is_named_in_one_line(tmp_path: Path, stages: str) -> None:
    serving = SERVING.model_copy(update={"stages": stages})
    make_release(tmp_path / "releases" / "1", items=30)
    (tmp_path / "releases" / "1" / schema.DLRM_ONNX).write_bytes(b"nonsense")
    models = tmp_path / "triton" / "models"
    repository.assemble(models, tmp_path / "releases", 1, serving)
    settings = Settings(home=tmp_path, serving=serving)
    with pytest.raises(RecsysError, match=r"dlrm_ranking of release 1 does not load: .*dlrm\.onnx") as caught:
        TritonServer(models, tmp_path / "triton", settings).start()
    assert "\n" not in str(caught.value)


def test_no_valkey_at_all_still_answers(tmp_path: Path) -> None:
    make_release(tmp_path / "releases" / "1", items=200)
    models = tmp_path / "triton" / "models"
    repository.assemble(models, tmp_path / "releases", 1, SERVING)
    settings = Settings(home=tmp_path, serving=SERVING)
    settings.valkey.url = "redis://127.0.0.1:1/0"
    with (
        TritonServer(models, tmp_path / "triton", settings) as triton,
        RecommendClient(triton.endpoints["grpc"], timeout_s=10) as client,
    ):
        for found in client.recommend(np.arange(64)):
            assert len(set(found.ids)) == 30
            assert found.degraded == (Degraded.USER_FEATURES | Degraded.SEEN_FILTER | Degraded.ITEM_FEATURES)
