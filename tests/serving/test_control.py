"""Triton's HTTP service as a promotion speaks to it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest

from recsys.errors import RecsysError, Unavailable
from recsys.serving.control import Control


class Triton(ThreadingHTTPServer):
    """Answers what it was given and keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, str | None, Any]] = []
        self.status, self.body, self.headers = 200, b"", {}


class _Handler(BaseHTTPRequestHandler):
    server: Triton

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append((self.path, self.headers.get("admin-key"), body))
        self.send_response(self.server.status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def triton() -> Iterator[Triton]:
    with Triton() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def control(triton: Triton) -> Control:
    return Control(f"127.0.0.1:{triton.server_address[1]}", key="secret", timeout_s=5)


def test_loading_and_unloading_send_the_key(triton: Triton, control: Control) -> None:
    control.load("dlrm_ranking")
    control.unload("ensemble_challenger")
    assert [(path, key) for path, key, _ in triton.asked] == [
        ("/v2/repository/models/dlrm_ranking/load", "secret"),
        ("/v2/repository/models/ensemble_challenger/unload", "secret"),
    ]
    assert triton.asked[1][2] == {"parameters": {"unload_dependents": False}}


def test_states_are_of_versions_that_were_ever_loaded(triton: Triton, control: Control) -> None:
    triton.body = json.dumps(
        [
            {"name": "a", "version": "1", "state": "UNAVAILABLE", "reason": "unloaded"},
            {"name": "a", "version": "2", "state": "READY"},
            {"name": "b"},
        ]
    ).encode()
    assert control.states() == {("a", 1): "UNAVAILABLE", ("a", 2): "READY"}


def test_outputs_come_as_bytes_so_that_nothing_is_rounded(triton: Triton, control: Control) -> None:
    ids = np.array([[2**62, -1]], np.int64)
    scores = np.array([[np.float32(0.1), -np.inf]], np.float32)
    outputs = [
        {"name": name, "datatype": kind, "shape": [1, 2], "parameters": {"binary_data_size": array.nbytes}}
        for name, kind, array in (("ordered_ids", "INT64", ids), ("ordered_scores", "FP32", scores))
    ]
    head = json.dumps({"model_version": "7", "outputs": outputs}).encode()
    triton.headers = {"Inference-Header-Content-Length": str(len(head))}
    triton.body = head + ids.tobytes() + scores.tobytes()
    answer, version = control.infer("ensemble_challenger", {"user_id": np.array([[5]])})
    assert version == 7
    assert np.array_equal(answer["ordered_ids"], ids)
    assert np.array_equal(answer["ordered_scores"], scores)
    asked = triton.asked[0][2]
    assert asked["inputs"] == [{"name": "user_id", "shape": [1, 1], "datatype": "INT64", "data": [5]}]
    assert asked["parameters"] == {"binary_data_output": True}


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (
            b'{"error": "failed to load \'x\',\\n no such\\n\\nAt:\\n  model.py(3)"}',
            "failed to load 'x', no such",
        ),
        (b"gone wrong", "gone wrong"),
        (b"", "HTTP status 400"),
    ],
)
def test_a_refusal_is_tritons_own_words_in_one_line(
    triton: Triton, control: Control, body: bytes, why: str
) -> None:
    triton.status, triton.body = 400, body
    with pytest.raises(RecsysError) as caught:
        control.load("x")
    assert caught.value.cause == why


def test_a_server_that_is_away_is_one_line() -> None:
    with pytest.raises(Unavailable, match=r"Triton at 127\.0\.0\.1:1: "):
        Control("127.0.0.1:1", timeout_s=5).states()
