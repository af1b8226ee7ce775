"""The client's arguments and what it makes of an answer; the functional tests ask a real server."""

from __future__ import annotations

import socket
from types import SimpleNamespace

import numpy as np
import pytest

from recsys.errors import BadUse, Unavailable
from recsys.serving import client as client_module
from recsys.serving.client import RecommendClient


@pytest.fixture
def nobody() -> RecommendClient:
    """A client of a port on which nothing listens."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{holder.getsockname()[1]}"
    return RecommendClient(address, timeout_s=0.5)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"user_ids": []}, "user_id: is empty"),
        ({"user_ids": [1.5]}, "user_id: holds float64"),
        ({"user_ids": ["7"]}, "user_id: holds <U1"),
        ({"user_ids": [2**64]}, "too large"),
        ({"user_ids": np.array([2**64 - 1], np.uint64)}, "goes beyond int64"),
        ({"user_ids": [1], "device": "phone"}, "device 'phone': not known. Use mobile, desktop, tablet"),
        ({"user_ids": [1], "device": 2**40}, "device_type: goes beyond int32"),
        ({"user_ids": [1, 2], "device": [0]}, "device_type: has 1 values for 2 users"),
        ({"user_ids": [1], "timestamp": "now"}, "timestamp: holds <U3"),
        ({"user_ids": [1, 2], "timestamp": [1, 2, 3]}, "timestamp: has 3 values for 2 users"),
        ({"user_ids": [1], "top": 0}, "top 0: must be 1 or more"),
        ({"user_ids": [1], "top": -4}, "top -4"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_sent(
    nobody: RecommendClient, arguments: dict, words: str
) -> None:
    with pytest.raises(BadUse, match=words) as caught:
        nobody.recommend(**arguments)
    assert "\n" not in str(caught.value)


def test_a_server_that_is_not_there_is_unavailable(nobody: RecommendClient) -> None:
    with nobody, pytest.raises(Unavailable, match="Triton at 127") as caught:
        nobody.recommend([1])
    assert "\n" not in str(caught.value)


def test_pads_are_cut_off() -> None:
    tensors = {
        "ordered_ids": np.array([[7, -5, -1, -1], [8, 9, 10, 11]]),
        "ordered_scores": np.array([[0.6, 0.4, 0, 0], [0.4, 0.3, 0.2, 0.1]], np.float32),
        "ordered_sources": np.array([[1, 3, 0, 0], [2, 1, 1, 8]], np.int32),
        "degraded": np.array([[3], [0]], np.int32),
    }
    answer = SimpleNamespace(
        as_numpy=tensors.__getitem__, get_response=lambda: SimpleNamespace(model_version="9")
    )
    short, full = client_module.recommendations(answer)
    assert (short.ids, short.sources, short.degraded, short.release) == ([7, -5], [1, 3], 3, 9)
    assert short.scores == pytest.approx([0.6, 0.4])
    assert full.ids == [8, 9, 10, 11]
    assert [found.ids for found in client_module.recommendations(answer, 1)] == [[7], [8]]
    assert [len(found.ids) for found in client_module.recommendations(answer, 50)] == [2, 4]


def test_readiness_of_a_server_that_is_not_there_is_unavailable_too(nobody: RecommendClient) -> None:
    with nobody, pytest.raises(Unavailable, match="Triton at 127"):
        nobody.is_ready()
