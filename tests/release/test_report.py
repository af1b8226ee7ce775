from __future__ import annotations

from typing import Any

from recsys.release.report import evaluation_page

EVALUATION: dict[str, Any] = {
    "rows": 40000,
    "retrieval": {"hit@300": 0.93, "ndcg@10": 0.2, "kind": "exact"},
    "chain": {"hit@10": 0.45, "ndcg@10": 0.3},
    "ranker": {"auc": 0.8},
    "anonymous": {"chain": {"hit@10": 0.0761}},
    "baselines": {"popularity": {"hit@10": 0.08}, "<als>": {"hit@10": 0.4}},
}


def test_evaluation_page_has_a_row_a_group() -> None:
    page = evaluation_page(EVALUATION)
    assert "40,000 rows" in page
    for title in ("retrieval", "chain", "ranker", "anonymous chain", "baselines popularity"):
        assert f"<td>{title}</td>" in page
    assert "<td>0.0761</td>" in page
    assert "exact" not in page


def test_names_are_escaped() -> None:
    assert "<als>" not in evaluation_page(EVALUATION)
