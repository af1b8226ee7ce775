from __future__ import annotations

from typing import Any

from recsys.release.report import evaluation_page, gate_page
from recsys.settings import GateSettings

EVALUATION: dict[str, Any] = {
    "rows": 40000,
    "retrieval": {"hit@300": 0.93, "ndcg@10": 0.2, "kind": "exact"},
    "chain": {"hit@10": 0.45, "ndcg@10": 0.3},
    "ranker": {"auc": 0.8},
    "anonymous": {"chain": {"hit@10": 0.0761}},
    "baselines": {"popularity": {"hit@10": 0.08}, "<als>": {"hit@10": 0.4}},
}


def test_gate_page_shows_the_verdict_and_each_check() -> None:
    assert "Passed" in gate_page(EVALUATION, GateSettings())
    refused = gate_page(EVALUATION, GateSettings(ranker_auc=0.9))
    assert "Refused: ranker.auc 0.8000" in refused
    assert "<td>ranker.auc</td><td>0.8000</td><td>0.9000</td><td>FAIL</td>" in refused


def test_gate_page_of_nothing_says_what_is_missing() -> None:
    assert "ranker.auc is missing" in gate_page({}, GateSettings())


def test_evaluation_page_has_a_row_a_group() -> None:
    page = evaluation_page(EVALUATION)
    assert "40,000 rows" in page
    for title in ("retrieval", "chain", "ranker", "anonymous chain", "baselines popularity"):
        assert f"<td>{title}</td>" in page
    assert "<td>0.0761</td>" in page
    assert "exact" not in page


def test_names_are_escaped() -> None:
    assert "<als>" not in evaluation_page(EVALUATION)
