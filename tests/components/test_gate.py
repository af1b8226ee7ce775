from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from factories.outcomes import make_outcomes
from factories.release import make_release
from kfp.dsl import HTML, Artifact, Metrics, Model

from components.gate import gate

_GOOD = {"baselines": {"popularity": {"hit@10": 0.1}}}


@pytest.mark.parametrize(
    ("floors", "reason"),
    [({"rounds": 3}, ""), ({"rounds": 3, "ranker_auc": 0.95}, "ranker.auc 0.")],
)
def test_reason_is_empty_or_one_line(artefact: Any, floors: dict, reason: str) -> None:
    release = artefact(Model, "release", make_release(Path(artefact(Model, "release").path)))
    Path(release.path, "catalogue.parquet").touch()
    parent, before = artefact(Model, "parent"), artefact(Artifact, "before")
    evaluation, page = artefact(Artifact, "evaluation"), artefact(HTML, "page")
    judgement, metrics = artefact(Artifact, "judgement"), artefact(Metrics, "metrics")
    for folder in (parent, before, evaluation):
        Path(folder.path).mkdir()
    Path(evaluation.path, "evaluation.json").write_text(json.dumps(_GOOD))
    make_outcomes().save(Path(evaluation.path))

    said = gate.python_func(
        release=release,
        evaluation=evaluation,
        parent=parent,
        parent_evaluation=before,
        floors={**floors, "resamples": 100},
        judgement=judgement,
        metrics=metrics,
        page=page,
    )

    assert said.startswith(reason)
    assert bool(said) == bool(reason)
    assert "\n" not in said
    found = json.loads(Path(judgement.path, "gate.json").read_text())
    assert (found["passed"], found["reason"]) == (not reason, said)
    assert ("Passed" in Path(page.path).read_text()) == (not reason)
    assert 0.5 < metrics.metadata["ranker.auc"] < 1
