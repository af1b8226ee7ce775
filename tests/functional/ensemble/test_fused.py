"""`ensemble_fused`: one process for fourteen, the same answers, switched between releases the same way."""

from __future__ import annotations

import numpy as np
import pytest
from factories.release import KNOWN_USERS, make_release
from factories.shop_server import Shop
from tritonclient.grpc import InferenceServerClient, InferInput
from tritonclient.utils import InferenceServerException

from recsys.online.seen import SeenFilter
from recsys.serving import repository, triton
from recsys.serving.graph import ENSEMBLE, ENSEMBLE_OUTPUTS, FUSED
from recsys.serving.tensors import TENSORS
from recsys.settings import SeenSettings

pytestmark = pytest.mark.functional

AT = 1_700_000_000
USERS = np.array([*KNOWN_USERS.tolist(), 5, -1, 2**63 - 1, -(2**63)])
TYPES = {"int64": "INT64", "int32": "INT32"}


def requests(rows: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(rows)
    return {
        "user_id": rng.choice(USERS, (rows, 1)),
        "device_type": rng.integers(-1, 3, (rows, 1)).astype(np.int32),
        "timestamp": AT + rng.integers(0, 10**7, (rows, 1)),
    }


def ask(shop: Shop, model: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    ports = []
    for name, array in inputs.items():
        port = InferInput(name, array.shape, TYPES[TENSORS[name].dtype.name])
        port.set_data_from_numpy(array)
        ports.append(port)
    with InferenceServerClient(shop.triton.endpoints["grpc"]) as client:
        answer = client.infer(model, ports)
        return {name: answer.as_numpy(name) for name in ENSEMBLE_OUTPUTS}


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    np.testing.assert_allclose(one["ordered_scores"], other["ordered_scores"], atol=1e-5)
    assert np.array_equal(one["ordered_ids"], other["ordered_ids"])
    assert np.array_equal(one["degraded"], other["degraded"])


def test_one_model_and_the_ensemble_over_it_are_all_there_is(fused_shop: Shop) -> None:
    with InferenceServerClient(fused_shop.triton.endpoints["grpc"]) as client:
        found = client.get_model_repository_index(as_json=True)["models"]
    assert {each["name"]: each["state"] for each in found} == {FUSED: "READY", ENSEMBLE: "READY"}
    assert triton.model_names("fused") == [FUSED, ENSEMBLE]


@pytest.mark.parametrize("rows", [1, 7, 64])
@pytest.mark.parametrize("model", [FUSED, ENSEMBLE])
def test_it_answers_like_the_fourteen_models(shop: Shop, fused_shop: Shop, model: str, rows: int) -> None:
    inputs = requests(rows)
    for watched in (shop, fused_shop):
        SeenFilter(watched.store, SeenSettings()).add(int(KNOWN_USERS[0]), shop.item_ids[:50])
    same(ask(fused_shop, model, inputs), ask(shop, ENSEMBLE, inputs))


def test_device_and_time_may_be_left_out(fused_shop: Shop) -> None:
    (found,) = fused_shop.client.recommend([3])
    assert (len(found.ids), found.degraded, found.release) == (30, 0, 1)


def test_a_wrong_request_is_refused_and_the_next_is_answered(fused_shop: Shop) -> None:
    with pytest.raises(InferenceServerException, match="batch"):
        ask(fused_shop, ENSEMBLE, {"user_id": np.zeros((65, 1), np.int64)})
    assert fused_shop.client.recommend([3])[0].degraded == 0


def test_a_release_is_switched_by_the_ensembles_pin(fused_shop: Shop) -> None:
    new_ids = range(5_000_000, 5_000_500)
    make_release(fused_shop.releases / "2", items=500, seed=9, item_ids=new_ids)
    models, serving = fused_shop.home / "triton" / "models", fused_shop.settings.serving
    with InferenceServerClient(fused_shop.triton.endpoints["grpc"]) as api:
        repository.set_versions(models, fused_shop.releases, [1, 2], serving)
        api.load_model(FUSED)
        for number in (2, 1):
            repository.pin_ensemble(models, number, serving)
            api.load_model(ENSEMBLE)
            (found,) = fused_shop.client.recommend([3])
            assert found.release == number
            assert set(found.ids) <= set(new_ids if number == 2 else fused_shop.item_ids)
