"""The whole chain in one process: right in any batch, for any user, and with any part failing."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import redis
from factories.feast_values import put_item, put_user
from factories.release import KNOWN_USERS, make_degenerate_model, make_release
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from recsys import schema
from recsys.errors import BadData, BadUse
from recsys.online.seen import SeenFilter
from recsys.schema import NO_ITEM, Degraded
from recsys.serving.chain import Chain
from recsys.serving.graph import ENSEMBLE_OUTPUTS
from recsys.serving.tensors import TENSORS
from recsys.settings import SeenSettings, ServingSettings, Settings

AT = 1_700_000_000
NO_STORE = Degraded.USER_FEATURES | Degraded.SEEN_FILTER | Degraded.ITEM_FEATURES
INT64 = st.integers(-(2**63), 2**63 - 1)


def test_every_tensor_is_as_declared(chain: Chain, settings: Settings) -> None:
    tensors = chain.run({"user_id": np.array([1, 2, 3])})
    assert set(tensors) == set(TENSORS)
    for name, array in tensors.items():
        assert array.dtype == TENSORS[name].dtype, name
        assert array.shape == (3, *TENSORS[name].dims(settings.serving)), name


@hypothesis_settings(max_examples=60, deadline=None)
@given(
    users=st.lists(INT64, min_size=1, max_size=9),
    device=st.integers(-(2**31), 2**31 - 1),
    timestamp=INT64,
)
def test_any_request_is_answered_from_the_catalogue(
    chain: Chain, release: Path, users: list[int], device: int, timestamp: int
) -> None:
    catalogue = set(np.load(release / schema.ITEM_IDS_FILE).tolist())
    out = chain.run(
        {
            "user_id": np.array(users),
            "device_type": np.full(len(users), device),
            "timestamp": np.full(len(users), timestamp),
        }
    )
    for ids, scores in zip(out["ordered_ids"].tolist(), out["ordered_scores"], strict=True):
        assert len(set(ids)) == len(ids) == 20
        assert set(ids) <= catalogue
        assert (np.diff(scores) <= 0).all()
        assert np.isfinite(scores).all()
    assert (out["degraded"] == NO_STORE).all()


@pytest.mark.parametrize("batch", [2, 19, 20, 64])
def test_a_batch_equals_its_users_alone(chain: Chain, batch: int) -> None:
    users = np.random.default_rng(batch).choice([*KNOWN_USERS, 5, -1, 2**63 - 1], batch)
    devices = np.arange(batch) % 4 - 1
    times = AT + np.arange(batch) * 10_000
    together = chain.run({"user_id": users, "device_type": devices, "timestamp": times})
    for row in range(batch):
        one = slice(row, row + 1)
        alone = chain.run({"user_id": users[one], "device_type": devices[one], "timestamp": times[one]})
        np.testing.assert_allclose(alone["ordered_scores"][0], together["ordered_scores"][row], atol=1e-5)
        assert np.array_equal(alone["ordered_ids"][0], together["ordered_ids"][row])


def test_context_and_user_matter(chain: Chain) -> None:
    def scores(user: int = 3, **context: int) -> np.ndarray:
        inputs = {"user_id": np.array([user])} | {name: np.array([n]) for name, n in context.items()}
        return chain.run(inputs)["click_scores"]

    plain = scores(timestamp=AT)
    assert np.array_equal(plain, scores(timestamp=AT))
    assert not np.allclose(plain, scores(timestamp=AT + 6 * 3600))
    assert not np.allclose(plain, scores(timestamp=AT, device_type=1))
    assert not np.allclose(plain, scores(user=10, timestamp=AT))


def test_given_tensors_replace_a_stage(chain: Chain) -> None:
    users = {"user_id": np.array([3, 10]), "timestamp": np.array([AT, AT])}
    given = {"age": [20, 60], "gender": np.array([[1], [0]]), "top_category": np.array([2, 2])}
    given |= {name: np.zeros((2, schema.RECENT_CLICKS)) for name in schema.RECENT_FEATURES}
    out = chain.run(users, {name: np.asarray(values) for name, values in given.items()})
    assert out["age"].tolist() == [[20], [60]]
    assert out["age"].dtype == np.float32
    assert out["user_flags"].tolist() == [[0], [0]]
    assert out["degraded"].tolist() == [[NO_STORE & ~Degraded.USER_FEATURES]] * 2
    assert out["age_bucket_feature"].tolist() == [[1], [4]]


@pytest.mark.parametrize(
    ("inputs", "given", "words"),
    [
        ({}, None, "user_id: missing or empty"),
        ({"user_id": []}, None, "user_id: missing or empty"),
        ({"user_id": [1], "user": [1]}, None, "user: not an input"),
        ({"user_id": [1, 2], "timestamp": [1]}, None, "timestamp: has shape"),
        ({"user_id": [1]}, {"agee": [1]}, "agee: not a tensor"),
        ({"user_id": [1]}, {"age": [1, 2]}, "age: has shape"),
        ({"user_id": [1]}, {"age": [1]}, "gender: feast_user_lookup is replaced"),
    ],
)
def test_what_cannot_be_is_refused(chain: Chain, inputs: dict, given: dict | None, words: str) -> None:
    def arrays(values: dict) -> dict[str, np.ndarray]:
        return {name: np.array(found) for name, found in values.items()}

    with pytest.raises(BadUse, match=words):
        chain.run(arrays(inputs), arrays(given) if given else None)


def test_with_a_store_nothing_is_degraded(release: Path, settings: Settings, valkey: redis.Redis) -> None:
    for item in np.load(release / schema.ITEM_IDS_FILE).tolist():
        put_item(valkey, item, price=9.5, category_l1=1, category_l2=2, item_gender=0)
    put_user(valkey, 3, age=33.0, gender=1, top_category=4)
    own = settings.model_copy(update={"seen": SeenSettings(capacity=50, rotation_s=3600)})
    chain = Chain(release, own, valkey)
    users = {"user_id": np.array([3]), "timestamp": np.array([AT])}
    before = chain.run(users)
    assert (before["age"], before["gender"], before["top_category"]) == (33, 1, 4)
    assert (before["price"] == 9.5).all()
    assert before["degraded"] == 0
    clicked = before["ordered_ids"][0, :5]
    SeenFilter(valkey, own.seen).add(3, clicked)
    after = chain.run(users)
    assert not np.isin(clicked, after["ordered_ids"]).any()
    assert after["degraded"] == 0
    chain.close()


def test_a_failing_tower_is_answered_with_popular_items(
    release: Path, settings: Settings, tmp_path: Path
) -> None:
    broken = Path(shutil.copytree(release, tmp_path / "broken"))
    inputs = {name: (dtype, 1) for name, dtype in schema.USER_FEATURES.items()}
    make_degenerate_model(broken / schema.QUERY_TOWER_ONNX, inputs, "user_embedding")
    out = Chain(broken, settings).run({"user_id": np.array([1, 2])})
    popularity = np.load(broken / schema.POPULARITY_FILE)
    best = np.argsort(-popularity, kind="stable")[: settings.serving.ranked]
    assert np.array_equal(out["items"][0], best)
    assert out["degraded"].tolist() == [[NO_STORE | Degraded.RETRIEVAL]] * 2


def test_a_failing_ranker_is_answered_in_retrievals_order(
    release: Path, settings: Settings, tmp_path: Path
) -> None:
    broken = Path(shutil.copytree(release, tmp_path / "broken"))
    inputs = {
        name: (dtype, 1)
        for name, dtype in (schema.USER_FEATURES | schema.CONTEXT_FEATURES | schema.ITEM_FEATURES).items()
    }
    make_degenerate_model(broken / schema.DLRM_ONNX, inputs, "score")
    out = Chain(broken, settings).run({"user_id": np.array([1, 2])})
    assert np.array_equal(out["ordered_items"], out["candidates"][:, :20])
    assert out["degraded"].tolist() == [[NO_STORE | Degraded.RANKING]] * 2


def test_a_catalogue_smaller_than_every_width(tmp_path: Path) -> None:
    folder = make_release(tmp_path, items=3, item_ids=[-(2**62), 0, 9])
    chain = Chain(folder, Settings(serving=ServingSettings(retrieved=9, ranked=8, returned=7)))
    out = chain.run({"user_id": np.array([1])})
    assert sorted(out["ordered_ids"][0, :3].tolist()) == [-(2**62), 0, 9]
    assert out["ordered_ids"][0, 3:].tolist() == [NO_ITEM] * 4
    assert out["ordered_scores"][0].sum() == pytest.approx(1)
    assert out["degraded"].tolist() == [[NO_STORE]]


def test_a_release_that_lacks_a_file_is_refused(release: Path, settings: Settings, tmp_path: Path) -> None:
    broken = Path(shutil.copytree(release, tmp_path / "broken"))
    (broken / schema.ITEM_IDS_FILE).unlink()
    with pytest.raises(BadData, match="item_ids"):
        Chain(broken, settings)


def test_the_answer_is_among_the_tensors(chain: Chain) -> None:
    assert set(ENSEMBLE_OUTPUTS) <= set(chain.run({"user_id": np.array([1])}))


def test_what_is_made_stands_in_for_what_a_stage_put_out(chain: Chain) -> None:
    found = chain.run(
        {"user_id": np.array([1, 2])}, made={schema.ITEM_POPULARITY: lambda tensors: tensors["items"] * 2}
    )
    assert np.array_equal(found[schema.ITEM_POPULARITY], (found["items"] * 2).astype(np.float32))
