"""What a real Triton answers: ready, right, and the same in every way it can be asked."""

from __future__ import annotations

import http.client
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http
from factories.feast_values import put_user
from factories.release import KNOWN_USERS
from factories.shop_server import Shop
from tritonclient.utils import InferenceServerException

from recsys.online.question import Question, columns
from recsys.online.seen import SeenFilter
from recsys.schema import ITEM_FEATURES_FILE, NO_ITEM
from recsys.serving import triton
from recsys.serving.graph import ENSEMBLE, ENSEMBLE_OUTPUTS, PROPENSITIES
from recsys.serving.tensors import TENSORS
from recsys.settings import SeenSettings

pytestmark = pytest.mark.functional

AT = 1_700_000_000
USERS = np.array([*KNOWN_USERS.tolist(), 5, -1, 2**63 - 1, -(2**63)])
OUTPUTS = (*ENSEMBLE_OUTPUTS, PROPENSITIES)
TYPES = {"int64": "INT64", "int32": "INT32", "float32": "FP32"}

Request = dict[str, np.ndarray]


def request(rows: int, seed: int = 0) -> Request:
    """A batch of users, devices and times; the times are fixed so that two ways can be compared."""
    rng = np.random.default_rng(seed)
    return {
        "user_id": rng.choice(USERS, (rows, 1)),
        "device_type": rng.integers(-1, 3, (rows, 1)).astype(np.int32),
        "timestamp": AT + rng.integers(0, 10**7, (rows, 1)),
    }


def ask(api: Any, address: str, inputs: Request) -> dict[str, np.ndarray]:
    """The ensemble's outputs by the plain client of either protocol."""
    ports = []
    for name, array in inputs.items():
        port = api.InferInput(
            name, array.shape, TYPES[TENSORS[name].dtype.name] if name in TENSORS else "INT64"
        )
        port.set_data_from_numpy(array)
        ports.append(port)
    client = api.InferenceServerClient(address)
    try:
        answer = client.infer(ENSEMBLE, ports)
        return {name: answer.as_numpy(name) for name in OUTPUTS}
    finally:
        client.close()


def over_grpc(shop: Shop, inputs: Request) -> dict[str, np.ndarray]:
    return ask(tritonclient.grpc, shop.triton.endpoints["grpc"], inputs)


def over_http(shop: Shop, inputs: Request) -> dict[str, np.ndarray]:
    return ask(tritonclient.http, shop.triton.endpoints["http"], inputs)


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    np.testing.assert_allclose(one["ordered_scores"], other["ordered_scores"], atol=1e-5)
    assert np.array_equal(one["ordered_ids"], other["ordered_ids"])
    assert np.array_equal(one["degraded"], other["degraded"])
    assert np.array_equal(one["ordered_sources"], other["ordered_sources"])
    np.testing.assert_allclose(one[PROPENSITIES], other[PROPENSITIES], atol=1e-5)


@pytest.mark.parametrize("name", triton.model_names())
def test_every_model_is_ready(shop: Shop, name: str) -> None:
    host, _, port = shop.triton.endpoints["http"].partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=5)
    connection.request("GET", f"/v2/models/{name}/ready")
    assert connection.getresponse().status == 200
    connection.close()


def test_nothing_is_degraded(shop: Shop) -> None:
    assert {found.degraded for found in shop.client.recommend(USERS)} == {0}


@pytest.mark.parametrize("rows", [1, 7, 64])
def test_triton_answers_like_the_chain_in_one_process(shop: Shop, rows: int) -> None:
    inputs, chain = request(rows, seed=rows), shop.chain()
    same(over_grpc(shop, inputs), chain.run(inputs))
    chain.close()


@pytest.mark.parametrize("rows", [1, 20, 64])
def test_both_protocols_answer_alike(shop: Shop, rows: int) -> None:
    inputs = request(rows, seed=rows)
    same(over_grpc(shop, inputs), over_http(shop, inputs))


def test_a_batch_answers_like_its_users_alone(shop: Shop) -> None:
    inputs = request(64)
    singles = [over_grpc(shop, {name: each[i : i + 1] for name, each in inputs.items()}) for i in range(64)]
    alone = {name: np.concatenate([single[name] for single in singles]) for name in OUTPUTS}
    for rows in (2, 19, 20, 33, 64):
        batch = over_grpc(shop, {name: each[:rows] for name, each in inputs.items()})
        same(batch, {name: array[:rows] for name, array in alone.items()})


def test_requests_that_run_together_keep_their_own_answers(shop: Shop) -> None:
    inputs = [request(1 + place % 5, seed=place) for place in range(60)]
    with ThreadPoolExecutor(12) as pool:
        together = list(pool.map(lambda each: over_grpc(shop, each), inputs))
    for each, answer in zip(inputs, together, strict=True):
        same(answer, over_grpc(shop, each))


def test_rules_and_choices_are_kept_among_requests_without_any(shop: Shop) -> None:
    """Sent one by one and at once: Triton batches those that leave inputs out with those that do not."""
    plain = over_grpc(shop, columns([Question(3, timestamp=AT)]))
    first = plain["ordered_ids"][0]
    asked = [
        Question(3, timestamp=AT),
        Question(3, timestamp=AT, only_category_l1=(1,)),
        Question(10, timestamp=AT, exclude=tuple(first.tolist())),
        Question(3, timestamp=AT, diversity=0.6, top_k=7),
        Question(11, timestamp=AT, sampling="weighted", seed=5, top_k=9),
        Question(10, timestamp=AT, diversity=0.3, diversity_by="dpp", max_per_category=2, top_k=5),
        Question(3, timestamp=AT, explore=0.05, seed=6, top_k=8),
    ] * 4
    expected = shop.chain().run(columns(asked))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda question: over_grpc(shop, columns([question])), asked))
    alone = {name: np.concatenate([each[name] for each in answers]) for name in OUTPUTS}
    same(alone, expected)
    same(over_grpc(shop, columns(asked)), expected)
    l1 = np.load(shop.releases / "1" / ITEM_FEATURES_FILE)["category_l1"].tolist()
    category = dict(zip(shop.item_ids, l1, strict=True))
    limited = alone["ordered_ids"][1]
    assert {category[item] for item in limited.tolist()} == {1}
    assert len(set(limited.tolist())) == 30
    assert not np.isin(first, alone["ordered_ids"][2]).any()
    assert (alone["ordered_ids"][[3, 4]] != NO_ITEM).sum(axis=1).tolist() == [7, 9]
    assert set(alone["ordered_ids"][3, :7].tolist()) != set(first[:7].tolist())


def test_device_and_time_may_be_left_out(shop: Shop) -> None:
    only_user = {"user_id": np.array([[3]])}
    assert over_grpc(shop, only_user)["ordered_ids"].shape == (1, 30)
    timed = only_user | {"timestamp": np.array([[AT]])}
    unknown = timed | {"device_type": np.array([[-1]], np.int32)}
    same(over_grpc(shop, timed), over_grpc(shop, unknown))
    mobile = over_grpc(shop, timed | {"device_type": np.array([[0]], np.int32)})
    assert not np.array_equal(mobile["ordered_scores"], over_grpc(shop, timed)["ordered_scores"])


def test_a_thousand_requests_give_items_of_the_catalogue_only(shop: Shop) -> None:
    rng, catalogue = np.random.default_rng(0), set(shop.item_ids)
    ids = np.concatenate(
        [
            rng.integers(-(2**63), 2**63 - 1, 700),
            rng.integers(-100, 10_000, 290),
            [0, -1, 1, -(2**63), 2**63 - 1, 2**31, -(2**31) - 1, 2**32, 10**18, -(10**18)],
        ]
    )
    for user in ids:
        (found,) = shop.client.recommend([user], device=int(rng.integers(-(2**31), 2**31)))
        assert len(found.ids) == len(set(found.ids)) == 30
        assert set(found.ids) <= catalogue
        assert min(found.ids) >= 0
        assert found.scores == sorted(found.scores, reverse=True)


def test_what_is_clicked_is_not_offered_again(shop: Shop) -> None:
    user = 777
    before = shop.client.recommend([user], timestamp=AT)[0].ids
    SeenFilter(shop.store, SeenSettings()).add(user, before[:5])
    after = shop.client.recommend([user], timestamp=AT)[0]
    assert not set(before[:5]) & set(after.ids)
    kept = [item for item in after.ids if item in before]  # further candidates moved up among them
    assert kept == before[5 : 5 + len(kept)]
    assert after.degraded == 0
    assert shop.client.recommend([778], timestamp=AT)[0].ids == before


def test_a_user_who_has_seen_the_whole_catalogue_gets_an_answer(shop: Shop) -> None:
    user = 779
    SeenFilter(shop.store, SeenSettings()).add(user, shop.item_ids)
    one, other = shop.client.recommend([user, 780], timestamp=AT)
    assert (one.ids, one.degraded) == ([], 32)
    assert (len(other.ids), other.degraded) == (30, 0)


def test_a_new_visitors_clicks_count(shop: Shop) -> None:
    before = shop.client.recommend([881], timestamp=AT)[0]
    put_user(shop.store, 881, top_category=4)
    after = shop.client.recommend([881], timestamp=AT)[0]
    assert before.scores != after.scores
    assert after.degraded == 0


WRONG = {
    "two users in a row": {"user_id": np.zeros((1, 2), np.int64)},
    "no batch dimension": {"user_id": np.zeros(1, np.int64)},
    "another dtype": {"user_id": np.zeros((1, 1), np.int32)},
    "an empty batch": {"user_id": np.zeros((0, 1), np.int64)},
    "too many users": {"user_id": np.zeros((65, 1), np.int64)},
    "no user at all": {"timestamp": np.zeros((1, 1), np.int64)},
    "batches that differ": {"user_id": np.zeros((2, 1), np.int64), "timestamp": np.zeros((1, 1), np.int64)},
    "an input that is not there": {"user_id": np.zeros((1, 1), np.int64), "age": np.zeros((1, 1), np.int64)},
}


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_a_wrong_request_gets_one_line_and_the_next_is_answered(shop: Shop, case: str, protocol: str) -> None:
    send = over_grpc if protocol == "grpc" else over_http
    inputs = dict(WRONG[case])
    types = dict(TYPES)
    if case == "another dtype":
        TYPES["user_id"] = "INT32"
    try:
        with pytest.raises(InferenceServerException) as caught:
            send(shop, inputs)
    finally:
        TYPES.update(types)
    message = caught.value.message()
    assert "\n" not in message.strip()
    assert "Traceback" not in message
    assert ".py" not in message
    assert shop.client.recommend([1])[0].degraded == 0


def test_the_release_is_in_the_answer(shop: Shop) -> None:
    assert shop.client.recommend([1])[0].release == 1


def test_a_plain_http_request_in_json(shop: Shop) -> None:
    host, _, port = shop.triton.endpoints["http"].partition(":")
    body = {"inputs": [{"name": "user_id", "shape": [1, 1], "datatype": "INT64", "data": [3]}]}
    connection = http.client.HTTPConnection(host, int(port), timeout=5)
    connection.request("POST", f"/v2/models/{ENSEMBLE}/infer", json.dumps(body))
    answer = json.load(connection.getresponse())
    connection.close()
    assert {output["name"]: output["shape"] for output in answer["outputs"]} == {
        "ordered_ids": [1, 30],
        "ordered_scores": [1, 30],
        "degraded": [1, 1],
        "ordered_sources": [1, 30],
        "propensities": [1, 30],
    }
