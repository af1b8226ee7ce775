from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from recsys.errors import Unavailable
from recsys.release.remote import RemoteStore


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Paths that a service was asked for, which speaks S3 only so far as to refuse."""
    paths: list[str] = []

    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_response(403)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Nothing on stderr."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.setenv(name, "tests")
    yield paths
    server.shutdown()
    server.server_close()


def test_another_service_that_speaks_s3_is_asked(asked: list[str]) -> None:
    with pytest.raises(Unavailable, match=r"s3://shop/releases: .*Check the address and the rights to it"):
        RemoteStore("s3://shop/releases").current()
    assert asked[0] == "/shop/releases/current"
