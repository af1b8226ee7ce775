"""`auto` takes the cheapest kind that finds enough, and says so."""

from __future__ import annotations

import numpy as np
import pytest

from recsys.index import build, choice

CLUSTERED_ROWS = 4_000


@pytest.fixture
def vectors(monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    monkeypatch.setattr(choice, "EXACT_UP_TO", 1_000)
    return np.random.default_rng(0).normal(size=(CLUSTERED_ROWS, 64)).astype(np.float32)


def test_small_catalogues_are_searched_exactly(vectors: np.ndarray) -> None:
    chosen = choice.choose(vectors[:1_000])
    assert (chosen.kind, chosen.recall) == ("flat", 1.0)
    assert "1000 items" in chosen.reason


def test_the_first_kind_above_the_floor_is_taken(vectors: np.ndarray) -> None:
    meta = build(vectors).meta
    assert meta.kind != "flat"
    assert meta.recall is not None
    assert meta.recall >= choice.RECALL_FLOOR
    assert meta.kind in meta.reason


def test_exact_when_no_kind_reaches_the_floor(vectors: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "RECALL_FLOOR", 1.01)
    chosen = choice.choose(vectors)
    assert chosen.kind == "flat"
    assert "none reaches it" in chosen.reason


def test_recall_counts_what_is_missing(vectors: np.ndarray) -> None:
    index = build(vectors[:100], "flat")._index
    truth = index.search(vectors[:4], 10)[1]
    assert choice.recall_of(index, vectors[:4], truth) == 1.0
    truth[:, :5] = 10_000
    assert choice.recall_of(index, vectors[:4], truth) == 0.5
