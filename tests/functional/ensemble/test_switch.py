"""Two releases side by side and the ensemble switched between them, while clients ask."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from factories.release import make_release
from factories.shop_server import Shop
from tritonclient.grpc import InferenceServerClient

from recsys.serving import repository
from recsys.serving.client import RecommendClient
from recsys.serving.graph import ENSEMBLE, MODELS

pytestmark = pytest.mark.functional

NEW_IDS = range(5_000_000, 5_000_500)


def test_no_answer_mixes_releases(own_shop: Shop) -> None:
    shop = own_shop
    old_ids = set(shop.item_ids)
    make_release(shop.releases / "2", items=500, seed=9, item_ids=NEW_IDS)
    models, serving = shop.home / "triton" / "models", shop.settings.serving
    api, done = InferenceServerClient(shop.triton.endpoints["grpc"]), Event()

    def keep_asking() -> list[tuple[int, set[int]]]:
        answers = []
        with RecommendClient(shop.triton.endpoints["grpc"], timeout_s=10) as client:
            while not done.is_set():
                (found,) = client.recommend([3])
                answers.append((found.release, set(found.ids)))
        return answers

    with ThreadPoolExecutor(3) as pool:
        clients = [pool.submit(keep_asking) for _ in range(3)]
        try:
            repository.set_versions(models, shop.releases, [1, 2], serving)
            for each in MODELS:
                api.load_model(each.name)
            for number in (2, 1, 2):
                repository.pin_ensemble(models, number, serving)
                api.load_model(ENSEMBLE)
                assert shop.client.recommend([3])[0].release == number
        finally:
            done.set()
        answers = [answer for client in clients for answer in client.result()]
    api.close()
    assert {release for release, _ in answers} == {1, 2}
    for release, ids in answers:
        assert len(ids) == 30
        assert ids <= (old_ids if release == 1 else set(NEW_IDS))
