"""Beside each server of a cluster: brings releases into the pod's volume and writes its model repository.

    python -m recsys.release.agent --source s3://bucket/releases --into /var/lib/recsys

A promotion tells it release numbers and nothing else. Files come from the source alone, and what does not
hash to what the manifest says is refused; so whoever holds the key (RECSYS_PROMOTION__ADMIN_KEY) can choose
among published releases, and no more.

    GET  /healthz                  anybody: the agent answers
    GET  /readyz                   anybody: this pod is on the current release; else 503
    POST /fetch   {"release": 7}   the release is here, whole
    GET  /layout                   what the model repository serves; 404 where there is none (a gateway's pod)
    PUT  /layout  {"versions": [6, 7], "ensemble": 6, "challenger": 7}
    POST /clear                    files of what is served no more are removed
"""

from __future__ import annotations

import hmac
import json
import sys
import threading
from collections.abc import Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from recsys.errors import BadUse, RecsysError, told_in_a_line
from recsys.index.shard_model import model_name
from recsys.release.catch_up import Server, keep_up
from recsys.release.fetch import fetch, options_parser
from recsys.release.index_part import PartFiles, part_options
from recsys.release.part_servers import PartServer
from recsys.release.replica import Files, LocalFiles, Replica
from recsys.serving.control import Control
from recsys.serving.layout import Layout
from recsys.settings import ServingSettings, get_settings

_MOST_BYTES: Final = 4_096
_TIMEOUT_S: Final = 10.0
_REFUSED: Final = HTTPStatus.CONFLICT


class Agent:
    """What the agent does, without its HTTP service.

    Attributes:
        told: Set once a promotion has written a layout: it is in charge from then on.
        ready: Set once this pod is on the release that is current.

    Args:
        source: Root of a release store.
        home: The pod's state folder, shared with its server.
        settings: Widths and variant, as the server was started with.
        files: The model repository, where it is another than the ensemble's.
    """

    def __init__(
        self, source: str, home: Path, settings: ServingSettings, files: Files | None = None
    ) -> None:
        self._source = source
        self._home = home
        self._models_dir = home / "triton" / "models"
        self._files = files or LocalFiles(self._models_dir, home / "releases", settings)
        self._lock = threading.Lock()
        self.told = threading.Event()
        self.ready = threading.Event()

    @property
    def has_models(self) -> bool:
        """Whether there is a model repository here."""
        return self._models_dir.is_dir()

    def bring(self, number: int) -> None:
        """Have a release here, whole.

        Raises:
            RecsysError: It is not at the source, damaged, or refused by its gate.
        """
        if number < 1:
            raise BadUse(f"release {number}", "not a number of one", "Name a published release")
        with self._lock:
            fetch(self._source, self._home, number)

    def read(self) -> Layout:
        """What the model repository serves."""
        return self._files.read()

    def write(self, layout: Layout) -> None:
        """Bring what is missing and have the model repository say this."""
        for number in layout.versions:
            self.bring(number)
        with self._lock:
            self._files.write(layout)

    def clear(self) -> None:
        """Remove the files of what is served no more."""
        with self._lock:
            self._files.clear()


class AgentServer(ThreadingHTTPServer):
    """The agent's HTTP service.

    Args:
        address: Host and port to listen on; port 0 for any free one.
        agent: What it does.
        key: What callers must send as `Authorization: Bearer <key>`.

    Raises:
        BadUse: There is no key.
    """

    daemon_threads = True

    def __init__(self, address: tuple[str, int], agent: Agent, key: str) -> None:
        if not key:
            raise BadUse(
                "RECSYS_PROMOTION__ADMIN_KEY", "not set", "Give the agent the key of Triton's control"
            )
        super().__init__(address, _Handler)
        self.agent = agent
        self.key = key

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say in one line that a caller went away, as one does who waited too long."""
        error = sys.exception()
        if isinstance(error, ConnectionError):
            sys.stderr.write(f"{client_address[0]} went away before the answer: {error}\n")
        else:
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: AgentServer
    timeout = _TIMEOUT_S
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/healthz":
            self._answer(HTTPStatus.OK, {})
        elif self.path == "/readyz":
            ready = self.server.agent.ready.is_set()
            self._answer(HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE, {})
        elif self._may("/layout"):
            self._do(lambda agent: agent.read().to_json())

    def do_PUT(self) -> None:
        if self._may("/layout"):
            body = self._body()
            self.server.agent.told.set()
            self._do(lambda agent: agent.write(Layout.from_json(body)))

    def do_POST(self) -> None:
        if not self._may("/fetch", "/clear"):
            return
        body = self._body()
        if self.path == "/clear":
            self._do(lambda agent: agent.clear())
        else:
            self._do(lambda agent: agent.bring(_release(body)))

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: probes come every few seconds, and promotions tell what they do."""

    def _may(self, *paths: str) -> bool:
        """Whether the caller knows the key and the path is one of these; answers if not."""
        given = self.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self.server.key}".encode()):
            self._answer(HTTPStatus.UNAUTHORIZED, {"error": "the key is missing or wrong"})
            return False
        here = self.path in paths and (self.path == "/fetch" or self.server.agent.has_models)
        if not here:
            self._answer(HTTPStatus.NOT_FOUND, {"error": f"{self.path} is not here"})
        return here

    def _body(self) -> Any:
        length = min(int(self.headers.get("content-length") or 0), _MOST_BYTES)
        try:
            return json.loads(self.rfile.read(length) or b"null")
        except ValueError:
            return None

    def _do(self, action: Any) -> None:
        try:
            self._answer(HTTPStatus.OK, action(self.server.agent) or {})
        except RecsysError as error:
            self._answer(_REFUSED, {"thing": error.thing, "cause": error.cause, "fix": error.fix})

    def _answer(self, status: HTTPStatus, body: dict[str, Any]) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        if status != HTTPStatus.OK:
            # What is left of a refused body must not be read as the next request.
            self.send_header("connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(text)


def _release(body: Any) -> int:
    number = body.get("release") if isinstance(body, dict) else None
    if type(number) is not int:
        raise BadUse("release", f"{number!r:.40} is no number", 'Send {"release": 7}')
    return number


def main(arguments: Sequence[str] | None = None) -> None:
    """`python -m recsys.release.agent`; serves until it is stopped."""
    parser = options_parser("python -m recsys.release.agent", "Bring releases into this pod when told.")
    parser.add_argument("--host", default="0.0.0.0", help="address to listen on")  # noqa: S104 - a pod's own
    parser.add_argument("--triton", default="127.0.0.1:8000", help="HTTP service of this pod's Triton")
    part_options(parser, required=False)
    options = parser.parse_args(arguments)
    settings = get_settings()
    with told_in_a_line():
        key = settings.promotion.admin_key.get_secret_value()
        files = PartFiles(options.into, options.part, options.parts) if options.parts else None
        agent = Agent(options.source, options.into, settings.serving, files)
        with AgentServer((options.host, settings.promotion.agent_port), agent, key) as server:
            control = Control(options.triton, key, settings.promotion.load_s)
            replica: Server = Replica("here", control, agent, settings.serving.variant)
            if options.parts:
                replica = PartServer("here", control, agent, model_name(options.part, options.parts))
            watch = threading.Thread(target=keep_up, args=(agent, replica, options.source, options.release))
            watch.daemon = True
            watch.start()
            server.serve_forever()


if __name__ == "__main__":
    main()
