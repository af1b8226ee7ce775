from __future__ import annotations

import json

import numpy as np
import pytest
from factories.evaluated_shop import ITEM_IDS, SETTINGS, write_shop
from factories.release import make_release

from recsys.data.splits import evaluation_sample
from recsys.features.training import feature_rows
from recsys.index import Index
from recsys.models import ordering, pools, trial_log
from recsys.models.served import serve


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return make_release(tmp_path_factory.mktemp("release"), items=len(ITEM_IDS), item_ids=ITEM_IDS)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return write_shop(tmp_path_factory.mktemp("shop"), exposures=False)


def test_curves_begin_at_the_chain_s_own_order_and_trade_from_there(release, dataset):
    found = ordering.measure(release, dataset, SETTINGS)
    json.dumps(found)
    assert found["rows"] == 120
    first = {name: curve[0] for name, curve in found["curves"].items()}
    mmr, dpp = first["MMR, image and text"], first["DPP, learned too"]
    for name in ("ndcg@10", "hit@10", "diversity", "coverage"):
        assert mmr[name] == dpp[name] == first["most of a category"][name]
    for name, curve in found["curves"].items():
        if name.startswith(("MMR, learned", "DPP")):
            assert curve[-1]["diversity"] > curve[0]["diversity"]
    caps = found["curves"]["most of a category"]
    assert caps[-1]["categories"] == 5 > caps[0]["categories"]


def test_pools_are_the_chain_s_order(release, dataset):
    drawn = pools.draw(release, dataset, SETTINGS, 50)
    rows = feature_rows(dataset, evaluation_sample(dataset, 50, 0), dataset.interactions([0, 1, 9]))
    served = serve(release, rows, drawn.item, SETTINGS).everything
    assert drawn.items[:, :10].tolist() == served.shown.tolist()
    assert np.array(ITEM_IDS)[drawn.item].tolist() == rows["item_id"].tolist()
    assert (np.diff(drawn.scores, axis=1) <= 0).all()


def test_learned_vectors_are_the_index_s(release):
    found = ordering.learned(release, len(ITEM_IDS))
    query = np.random.default_rng(0).normal(size=(1, 64)).astype(np.float32)
    scores, items = Index.load(release).search(query, 5)
    np.testing.assert_allclose((query @ found.T)[0][items[0]], scores[0], rtol=1e-5)


def test_difference_is_the_mean_over_pairs():
    vectors = np.array([[[1.0, 0], [0, 1], [1, 0]], [[1, 0], [1, 0], [1, 0]]])
    np.testing.assert_allclose(ordering.difference(vectors), [2 / 3, 0], atol=1e-12)


def test_estimates_stand_beside_the_truth(release, dataset):
    found = trial_log.estimates(pools.draw(release, dataset, SETTINGS, 120))
    assert {one["estimator"] for one in found} == {"IPS", "SNIPS", "DR"}
    assert all(0 <= one["truth"] <= 1 and one["effective_rows"] <= 120 for one in found)
    own = {one["estimator"]: one for one in found if one["policy"] == "the exploring one itself"}
    assert own["IPS"]["effective_rows"] == pytest.approx(120)
    assert own["IPS"]["value"] == own["SNIPS"]["value"]
