from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from kfp.dsl import HTML, Artifact

from components.gate import gate

_GOOD = {
    "retrieval": {"hit@300": 0.9, "ndcg@10": 0.2},
    "chain": {"hit@10": 0.4, "ndcg@10": 0.3},
    "ranker": {"auc": 0.8},
    "baselines": {"popularity": {"hit@10": 0.1}},
}


@pytest.mark.parametrize(
    ("floors", "reason"),
    [({}, ""), ({"ranker_auc": 0.9}, "ranker.auc 0.8000, at least 0.9000")],
)
def test_reason_is_empty_or_one_line(artefact: Any, floors: dict, reason: str) -> None:
    evaluation, page = artefact(Artifact, "evaluation"), artefact(HTML, "page")
    Path(evaluation.path).mkdir()
    Path(evaluation.path, "evaluation.json").write_text(json.dumps(_GOOD))
    assert gate.python_func(evaluation=evaluation, floors=floors, page=page) == reason
    assert ("Passed" in Path(page.path).read_text()) == (not reason)
