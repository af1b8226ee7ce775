"""A small HTTP server that speaks what `recsys.kubeflow.submit` needs of Kubeflow Pipelines' v2beta1 API."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlparse


@dataclass
class FakeKubeflow:
    """What it holds, and how it shall behave.

    Attributes:
        states: A run's states, one a question; the last stays.
        fail_with: HTTP status and message of every answer to a POST of a run; None: all is well.
        away: So many questions for a run are answered with 503 first.
    """

    url: str = ""
    experiments: dict[str, str] = field(default_factory=dict)
    runs: list[dict[str, Any]] = field(default_factory=list)
    tokens: list[str | None] = field(default_factory=list)
    states: list[str] = field(default_factory=lambda: ["SUCCEEDED"])
    fail_with: tuple[int, str] | None = None
    away: int = 0

    def answer(  # noqa: PLR0911
        self, method: str, path: str, query: dict[str, list[str]], body: Any
    ) -> tuple[int, Any]:
        kind, _, rest = path.removeprefix("/apis/v2beta1/").partition("/")
        if kind == "experiments" and method == "GET":
            name = json.loads(query["filter"][0])["predicates"][0]["stringValue"]
            found = self.experiments.get(name)
            return 200, {"experiments": [{"experiment_id": found, "display_name": name}]} if found else {}
        if kind == "experiments":
            self.experiments[body["display_name"]] = f"experiment-{len(self.experiments) + 1}"
            return 200, {"experiment_id": self.experiments[body["display_name"]]}
        if kind == "runs" and method == "POST":
            if self.fail_with:
                return self.fail_with[0], {"code": 3, "message": self.fail_with[1]}
            self.runs.append(body)
            return 200, {"run_id": f"run-{len(self.runs)}"}
        if kind == "runs" and rest:
            if self.away:
                self.away -= 1
                return 503, {"message": "starting"}
            return 200, {
                "run_id": rest,
                "state": self.states.pop(0) if len(self.states) > 1 else self.states[0],
            }
        return 404, {"message": f"no {path}"}


@contextmanager
def fake_kubeflow() -> Iterator[FakeKubeflow]:
    fake = FakeKubeflow()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            fake.tokens.append(self.headers.get("Authorization"))
            url = urlparse(self.path)
            status, document = fake.answer(self.command, url.path, parse_qs(url.query), body)
            text = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = _answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Silence."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
