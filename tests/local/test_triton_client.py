from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from recsys.errors import Unavailable
from recsys.local.ports import free_port
from recsys.local.triton_client import Answer, infer


class FakeTriton:
    """Answers every POST alike and remembers the last question."""

    def __init__(self, status: int, body: Any) -> None:
        self.asked: dict[str, Any] = {}
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                fake.asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                fake.asked["path"] = self.path
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body if isinstance(body, bytes) else json.dumps(body).encode())

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def fake() -> Iterator[Any]:
    made: list[FakeTriton] = []

    def make(status: int, body: Any) -> FakeTriton:
        made.append(FakeTriton(status, body))
        return made[-1]

    yield make
    for one in made:
        one.server.shutdown()
        one.server.server_close()


def outputs(ids: list[int], scores: list[float], degraded: int = 0) -> dict[str, Any]:
    named = {"ordered_ids": ids, "ordered_scores": scores, "degraded": [degraded]}
    return {"outputs": [{"name": name, "data": data} for name, data in named.items()]}


def test_pads_are_left_out_and_the_order_stays(fake: Any) -> None:
    server = fake(200, outputs([7, 2**62, -1, -1], [0.9, 0.5, 0.0, 0.0], degraded=33))
    assert infer(server.address, user_id=3) == Answer([7, 2**62], [0.9, 0.5], 33)


def test_what_is_not_known_is_not_sent(fake: Any) -> None:
    server = fake(200, outputs([], []))
    infer(server.address, user_id=-1)
    assert [one["name"] for one in server.asked["inputs"]] == ["user_id"]


def test_device_and_time_are_sent_in_their_types(fake: Any) -> None:
    server = fake(200, outputs([], []))
    infer(server.address, user_id=2**62, device_type=0, timestamp=2**40)
    assert server.asked["path"] == "/v2/models/ensemble_model/infer"
    assert {one["name"]: (one["datatype"], one["shape"], one["data"]) for one in server.asked["inputs"]} == {
        "user_id": ("INT64", [1, 1], [2**62]),
        "device_type": ("INT32", [1, 1], [0]),
        "timestamp": ("INT64", [1, 1], [2**40]),
    }


def test_a_refusal_is_told_in_tritons_words(fake: Any) -> None:
    server = fake(400, {"error": "model is not ready"})
    with pytest.raises(Unavailable, match=r"^Triton: model is not ready"):
        infer(server.address, user_id=1)


def test_a_refusal_without_words_is_its_status(fake: Any) -> None:
    server = fake(500, b"<html>")
    with pytest.raises(Unavailable, match="HTTP status 500"):
        infer(server.address, user_id=1)


def test_an_answer_that_is_no_json_is_one_line(fake: Any) -> None:
    server = fake(200, b"nonsense")
    with pytest.raises(Unavailable, match=r"^Triton at 127\.0\.0\.1:\d+: "):
        infer(server.address, user_id=1)


def test_nobody_there_is_one_line() -> None:
    with pytest.raises(Unavailable, match=r"Connection refused.*Start it with `recsys up`"):
        infer(f"127.0.0.1:{free_port()}", user_id=1)
