from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from factories.release import make_release

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.errors import BadData
from recsys.models import ranker_auc
from recsys.models.evaluate import evaluate
from recsys.models.metrics import MISSED
from recsys.models.served import serve
from recsys.serving.chain import Chain
from recsys.settings import EvaluationSettings, ServingSettings, Settings

ITEM_IDS = [int(i) for i in 500 + 7 * np.arange(60)]
METRICS = {"hit@10", "hit@100", "hit@300", "ndcg@10", "mrr"}
SETTINGS = Settings(
    serving=ServingSettings(retrieved=50, ranked=40, returned=10),
    evaluation=EvaluationSettings(rows=120, anonymous_rows=30, auc_rows=100),
)


def write_shop(folder, *, exposures: bool) -> Dataset:
    rng = np.random.default_rng(3)
    n = len(ITEM_IDS)
    pd.DataFrame(
        {
            "item_id": ITEM_IDS,
            "price": rng.uniform(1, 9, n).astype(np.float32),
            "category_l1": rng.integers(0, 5, n),
            "category_l2": rng.integers(0, 20, n),
            "item_gender": rng.integers(0, 3, n),
        }
    ).to_parquet(folder / schema.ITEMS_FILE)
    words = {"item_id": ITEM_IDS, "product_description": ["a thing"] * n}
    pd.DataFrame(words).to_parquet(folder / schema.DESCRIPTIONS_FILE)
    users = {"user_id": [3, 10, 11], "age": [20, 30, 40], "gender": [0, 1, 0]}
    pd.DataFrame(users).to_parquet(folder / schema.USERS_FILE)
    for day in (0, 1, 9):
        columns = {
            "user_id": rng.choice([3, 10, 11], 150),
            "item_id": rng.choice(ITEM_IDS, 150),
            "timestamp": 1_754_006_400 + day * 86_400 + np.arange(150),
            "device_type": rng.integers(0, 3, 150),
        }
        if exposures:
            columns["click"] = np.arange(150) % 2
        pd.DataFrame(columns).to_parquet(folder / schema.DAY_FILE.format(day=day))
    return Dataset.open(folder)


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return make_release(tmp_path_factory.mktemp("release"), items=len(ITEM_IDS), item_ids=ITEM_IDS)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Dataset:
    return write_shop(tmp_path_factory.mktemp("shop"), exposures=False)


def test_the_document_has_the_promised_shape(release, dataset):
    document = evaluate(release, dataset, SETTINGS)
    assert document["rows"] == 120
    assert document["anonymous"]["rows"] == 30
    for part in ("retrieval", "chain"):
        assert document[part].keys() == METRICS | {"coverage@10"}
        assert document["anonymous"][part].keys() == METRICS | {"coverage@10"}
    assert document["baselines"].keys() == {"popularity", "popular_in_category", "als"}
    assert all(found.keys() == METRICS for found in document["baselines"].values())
    assert document["ranker"]["negatives"] == "in-batch"
    assert 0 <= document["ranker"]["auc"] <= 1


def test_exposures_are_the_negatives_where_there_are_any(release, tmp_path):
    shop = write_shop(tmp_path, exposures=True)
    document = evaluate(release, shop, SETTINGS)
    assert document["ranker"]["negatives"] == "exposures"
    assert document["rows"] == 75  # the clicked half of the validation day


def test_ranks_are_places_in_the_chain_s_lists(release):
    rows = pd.DataFrame(
        {
            "user_id": [3, 10, 11],
            "age": np.float32([20, 30, 40]),
            "gender": [0, 1, 0],
            "top_category": [1, 2, -1],
            "device_type": [0, 1, 2],
            "timestamp": [1_754_006_400] * 3,
        }
    )
    first = serve(release, rows, np.zeros(3, np.int64), SETTINGS)
    again = serve(release, rows, first.shown[:, 4], SETTINGS)
    assert again.chain.tolist() == [5, 5, 5]
    assert serve(release, rows, first.retrieved[:, 0], SETTINGS).retrieval.tolist() == [1, 1, 1]
    assert (serve(release, rows, np.full(3, 10**6), SETTINGS).chain == MISSED).all()


def test_each_row_is_asked_with_its_own_features(release, dataset):
    rows = pd.DataFrame({"user_id": [3] * 130, "age": np.float32(20), "gender": 0, "device_type": 0})
    rows = rows.assign(top_category=np.arange(130) % 5, timestamp=1_754_006_400)
    found = serve(release, rows, np.zeros(130, np.int64), SETTINGS)
    alone = serve(release, rows.iloc[[128]], np.zeros(1, np.int64), SETTINGS)
    assert found.shown[128].tolist() == alone.shown[0].tolist()
    assert found.shown[128].tolist() != found.shown[127].tolist()


def test_the_ranker_s_score_is_the_chain_s(release, dataset):
    known = {"age": np.float32([20]), "gender": np.array([0]), "top_category": np.array([1])}
    request = {"user_id": [3], "device_type": [0], "timestamp": [1_754_006_400]}
    chain = Chain(release, SETTINGS)
    answer = chain.run({name: np.array(column) for name, column in request.items()}, known)
    chain.close()
    ranked = answer["items"][0]
    items = dataset.items.set_index("item_id").loc[np.array(ITEM_IDS)[ranked]].reset_index()
    # The shop's values are not the release's: the chain reads the latter.
    with np.load(release / schema.ITEM_FEATURES_FILE) as values:
        items = items.assign(**{name: values[name][ranked] for name in schema.ITEM_RAW})
    rows = pd.DataFrame({name: column * len(items) for name, column in request.items()})
    rows = rows.assign(age=np.float32(20), gender=0, top_category=1)
    scores = ranker_auc.score(release, pd.concat([rows, items[list(schema.ITEM_RAW)]], axis=1))
    np.testing.assert_allclose(scores, answer["click_scores"][0], atol=1e-6)


def test_another_catalogue_is_refused(dataset, tmp_path):
    other = make_release(tmp_path, items=5, item_ids=[1, 2, 3, 4, 5])
    with pytest.raises(BadData, match="does not hold item"):
        evaluate(other, dataset, SETTINGS)
