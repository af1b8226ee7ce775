from __future__ import annotations

import json

import numpy as np
import onnx
import pandas as pd
import pytest
from factories.evaluated_shop import ITEM_IDS, SETTINGS, write_shop
from factories.release import make_release

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.errors import BadData, BadUse
from recsys.features.recents import ClickLog
from recsys.models import metrics, ranker_auc
from recsys.models.baselines import compare
from recsys.models.evaluate import evaluate
from recsys.models.metrics import MISSED
from recsys.models.outcomes import Outcomes
from recsys.models.seen_before import SeenBefore
from recsys.models.served import serve
from recsys.online.seen import SeenFilter
from recsys.serving.chain import Chain

METRICS = {"hit@10", "hit@100", "hit@300", "ndcg@10", "mrr"}


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return make_release(tmp_path_factory.mktemp("release"), items=len(ITEM_IDS), item_ids=ITEM_IDS)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Dataset:
    return write_shop(tmp_path_factory.mktemp("shop"), exposures=False)


def test_the_document_has_the_promised_shape(release, dataset, tmp_path):
    document = evaluate(release, dataset, SETTINGS, outcomes_dir=tmp_path)
    assert document["rows"] == 120
    assert document["anonymous"]["rows"] == 30
    for part in ("retrieval", "chain"):
        assert document[part].keys() == METRICS | {"coverage@10"}
        assert document["anonymous"][part].keys() == METRICS | {"coverage@10"}
    assert document["baselines"].keys() == {"popularity", "popular_in_category", "als"}
    assert all(found.keys() == METRICS for found in document["baselines"].values())
    assert document["ranker"]["negatives"] == "in-batch"
    assert 0 <= document["ranker"]["auc"] <= 1
    json.dumps(document)
    judged = {"chain", "retrieval", "popularity", "popular_in_category", "als"}
    assert document["intervals"].keys() == judged | {"anonymous"}
    for name in judged - {"chain"}:
        assert document["differences"][f"chain - {name}"].keys() == METRICS
    for part in ("chain", "retrieval"):
        for metric, (low, high) in document["intervals"][part].items():
            assert low <= document[part][metric] <= high
    assert document["segments"].keys() == {"user", "device", "item", "repeat", "taste", "category"}
    assert sum(found["rows"] for found in document["segments"]["device"].values()) == 120
    assert document["exposure"].keys() == judged | {"chain, unseen", "clicks"}
    assert document["calibration"]["negatives"] == "uniform"
    assert document["omitted"] == {}
    outcomes = Outcomes.load(tmp_path)
    assert (
        np.mean((outcomes["chain_rank"] > 0) & (outcomes["chain_rank"] <= 10)) == document["chain"]["hit@10"]
    )
    assert outcomes.segments.keys() == document["segments"].keys()
    assert outcomes["shown"].sum() == 120 * 10
    assert metrics.auc(outcomes["pair_score"], outcomes["pair_label"]) == document["ranker"]["auc"]


def test_what_was_clicked_before_is_dropped_as_serving_drops_it(release, valkey):
    rows = pd.DataFrame({"user_id": [3, 10], "age": np.float32(20), "gender": 0, "device_type": 0})
    rows = rows.assign(top_category=1, timestamp=1_754_006_400)
    first = serve(release, rows, np.zeros(2, np.int64), SETTINGS).everything
    clicked = first.shown[:, [0, 2, 5]]
    seen = SeenBefore(np.repeat([3, 10], 3), clicked.ravel(), np.full(6, 1_754_006_399), len(ITEM_IDS))
    found = serve(release, rows, first.shown[:, 3], SETTINGS, seen=seen)
    assert found.everything.chain.tolist() == [4, 4]

    filters = SeenFilter(valkey, SETTINGS.seen)
    for user, items in zip((3, 10), clicked, strict=True):
        filters.add(user, np.array(ITEM_IDS)[items])
    chain = Chain(release, SETTINGS, valkey)
    request = {name: rows[name].to_numpy() for name in ("user_id", "device_type", "timestamp")}
    known = {name: rows[name].to_numpy() for name in ("age", "gender", "top_category")}
    answer = chain.run(request, known | ClickLog.empty().recent([3, 10], [0, 0]).tensors())
    chain.close()
    assert answer["ordered_items"].tolist() == found.unseen.shown.tolist()
    assert (answer["ordered_items"] == first.shown[:, [3]]).argmax(axis=1).tolist() == (
        found.unseen.chain - 1
    ).tolist()

    old = serve(release, rows, clicked[:, 1], SETTINGS, seen=seen)
    assert len(old.unseen.chain) == 0  # their clicks are not new
    assert old.everything.chain.tolist() == [3, 3]


def test_all_baselines_are_measured_on_request(release, dataset):
    document = evaluate(release, dataset, SETTINGS, baselines="all")
    assert tuple(document["baselines"]) == compare.ALL
    only = evaluate(release, dataset, SETTINGS, baselines="ease,popularity")
    assert tuple(only["baselines"]) == ("popularity", "ease")
    with pytest.raises(BadUse, match="baseline knn"):
        evaluate(release, dataset, SETTINGS, baselines="knn")


def test_exposures_are_the_negatives_where_there_are_any(release, tmp_path):
    shop = write_shop(tmp_path, exposures=True)
    document = evaluate(release, shop, SETTINGS)
    assert document["ranker"]["negatives"] == "exposures"
    assert document["calibration"]["negatives"] == "exposures"
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
    first = serve(release, rows, np.zeros(3, np.int64), SETTINGS).everything
    again = serve(release, rows, first.shown[:, 4], SETTINGS).everything
    assert again.chain.tolist() == [5, 5, 5]
    assert serve(release, rows, first.retrieved[:, 0], SETTINGS).everything.retrieval.tolist() == [1, 1, 1]
    assert (serve(release, rows, np.full(3, 10**6), SETTINGS).everything.chain == MISSED).all()


def test_each_row_is_asked_with_its_own_features(release, dataset):
    rows = pd.DataFrame({"user_id": [3] * 130, "age": np.float32(20), "gender": 0, "device_type": 0})
    rows = rows.assign(top_category=np.arange(130) % 5, timestamp=1_754_006_400)
    found = serve(release, rows, np.zeros(130, np.int64), SETTINGS).everything
    alone = serve(release, rows.iloc[[128]], np.zeros(1, np.int64), SETTINGS).everything
    assert found.shown[128].tolist() == alone.shown[0].tolist()
    assert found.shown[128].tolist() != found.shown[127].tolist()


def test_the_ranker_s_score_is_the_chain_s(release, dataset):
    known = {"age": np.float32([20]), "gender": np.array([0]), "top_category": np.array([1])}
    known |= ClickLog.empty().recent([3], [0]).tensors()
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


def test_fewer_rows_may_be_asked_again_without_what_was_seen(release, dataset):
    few = SETTINGS.model_copy(
        update={"evaluation": SETTINGS.evaluation.model_copy(update={"unseen_rows": 40})}
    )
    every, some = (evaluate(release, dataset, own)["unseen"] for own in (SETTINGS, few))
    assert 0 < some["rows"] < every["rows"] <= 120
    low, high = some["intervals"]["chain"]["hit@10"]
    assert low <= some["chain"]["hit@10"] <= high
    assert some["differences"].keys() >= {"chain - als", "chain - popularity"}
    assert some["rows"] <= 40


def test_heads_are_measured_on_the_clicks_that_tell(release, tmp_path, monkeypatch):
    """Each by itself: what was bought was in the cart, and unknown clicks say nothing."""
    folder = tmp_path / "release"
    folder.mkdir()
    graph = onnx.load(release / schema.DLRM_ONNX)
    for name in schema.HEADS:
        graph.graph.node.append(onnx.helper.make_node("Identity", ["score"], [name]))
        graph.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    onnx.save(graph, folder / schema.DLRM_ONNX)
    clicks = pd.DataFrame({schema.EVENT: np.array([0, 1, 2, -1, 0], np.int8)})
    told = {"cart": np.array([0.1, 0.8, 0.9, 0.2]), "purchase": np.array([0.1, 0.8, 0.2, 0.3])}
    monkeypatch.setattr(ranker_auc, "score", lambda folder, rows, history, name, _: told[name])
    found = ranker_auc.heads(folder, clicks, clicks, rows=100)
    assert found["cart"]["auc"] == 1
    assert found["purchase"]["auc"] == pytest.approx(1 / 3)
    assert (found["cart"]["share"], found["purchase"]["share"], found["cart"]["rows"]) == (0.5, 0.25, 4)
    assert ranker_auc.heads(release, clicks, clicks, rows=100) == {}
    assert ranker_auc.heads(folder, clicks.assign(**{schema.EVENT: -1}), clicks, rows=100) == {}
