"""Who trains together, and what one who is alone does."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf

from recsys.errors import BadUse
from recsys.models.parallel import ALONE, Workers


@pytest.mark.parametrize(
    "text", ["", "{}", '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 0}}']
)
def test_one_process_is_alone(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("TF_CONFIG", text)
    assert Workers.of_environment() is ALONE
    assert ALONE.is_chief


@pytest.mark.parametrize(("kind", "index", "rank"), [("chief", 0, 0), ("worker", 0, 1), ("worker", 1, 2)])
def test_the_chief_comes_first(monkeypatch: pytest.MonkeyPatch, kind: str, index: int, rank: int) -> None:
    cluster = {"chief": ["a:1"], "worker": ["b:1", "c:1"]}
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}}))
    monkeypatch.setattr(tf.distribute, "MultiWorkerMirroredStrategy", lambda: None)
    found = Workers.of_environment()
    assert (found.rank, found.count, found.is_chief) == (rank, 3, rank == 0)


def test_what_cannot_train_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = {"worker": ["a:1", "b:1"], "ps": ["c:1"]}
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": {"type": "ps", "index": 0}}))
    with pytest.raises(BadUse, match="task ps does not train"):
        Workers.of_environment()
    monkeypatch.setenv("TF_CONFIG", "{")
    with pytest.raises(BadUse, match="not JSON"):
        Workers.of_environment()


def test_shares_are_the_whole() -> None:
    batch = np.arange(11)
    shares = [Workers(rank, 3).share(batch) for rank in range(3)]
    np.testing.assert_array_equal(np.sort(np.concatenate(shares)), batch)
    assert {len(share) for share in shares} == {3, 4}


def test_alone_nothing_is_changed() -> None:
    gradients = [tf.ones(3), None]
    assert ALONE.summed(gradients, tf.constant(3)) is gradients
    assert ALONE.agreed({"a": 0.1}) == {"a": 0.1}
    np.testing.assert_array_equal(ALONE.share(np.arange(4)), np.arange(4))
