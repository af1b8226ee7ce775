"""`auto` takes the cheapest kind that finds enough, and says so."""

from __future__ import annotations

import numpy as np
import pytest

from recsys.index import build, choice
from recsys.index.kinds import bytes_of

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


def test_the_order_follows_the_size(vectors: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    assert choice.choose(vectors).kind == "pq"
    monkeypatch.setattr(choice, "_SCAN_UP_TO", 2_000)
    chosen = choice.choose(vectors)
    assert chosen.kind == "ivf_pq"
    assert "ivf_pq 0." in chosen.reason
    assert " ms against a floor of 0.98" in chosen.reason


def test_what_does_not_fit_is_not_tried_and_the_reason_says_so(vectors: np.ndarray) -> None:
    bound = bytes_of("scalar", CLUSTERED_ROWS, 64) / 1e6 + 0.01
    chosen = choice.choose(vectors, memory_mb=bound)
    assert chosen.kind == "scalar"
    assert "pq takes 1 MB" in chosen.reason
    assert f"within {bound:g} MB" in chosen.reason


def test_exact_when_no_kind_reaches_the_floor(vectors: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "RECALL_FLOOR", 1.01)
    monkeypatch.setattr(choice, "_SMALLER", ("scalar",))
    chosen = choice.choose(vectors)
    assert chosen.kind == "flat"
    assert "none reaches it" in chosen.reason


def test_recall_counts_what_is_missing(vectors: np.ndarray) -> None:
    index = build(vectors[:100], "flat")._index
    truth = index.search(vectors[:4], 10)[1]
    assert choice.recall_of(index, vectors[:4], truth) == 1.0
    truth[:, :5] = 10_000
    assert choice.recall_of(index, vectors[:4], truth) == 0.5
