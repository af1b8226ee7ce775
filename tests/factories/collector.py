"""A collector of traces: takes OTLP over HTTP and keeps the spans."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from factories.shopper import wait_until
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Got:
    """One span as it arrived."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    kind: int
    status: int
    attributes: dict[str, Any]
    links: list[str]
    begin: int
    end: int


@dataclass
class Collector:
    """What arrived."""

    url: str
    spans: list[Got] = field(default_factory=list)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    status: int = 200

    def find(self, condition: Callable[[Got], bool], patience_s: float = 20) -> list[Got]:
        """The spans that fit, waited for."""
        wait_until(lambda: any(map(condition, self.spans)), patience_s)
        return [span for span in self.spans if condition(span)]

    def take(self, kind: str, body: bytes) -> None:
        """Read one export, in either of OTLP's two encodings."""
        for group in _request(kind, body).resource_spans:
            resource = {each.key: each.value.string_value for each in group.resource.attributes}
            for scope in group.scope_spans:
                for span in scope.spans:
                    self.spans.append(
                        Got(
                            resource.get("service.name", ""),
                            span.name,
                            span.trace_id.hex(),
                            span.span_id.hex(),
                            span.parent_span_id.hex(),
                            span.kind,
                            span.status.code,
                            {each.key: _plain(each.value) for each in span.attributes},
                            [link.trace_id.hex() for link in span.links],
                            span.start_time_unix_nano,
                            span.end_time_unix_nano,
                        )
                    )


def _request(kind: str, body: bytes) -> ExportTraceServiceRequest:
    if kind.startswith("application/x-protobuf"):
        return ExportTraceServiceRequest.FromString(body)
    # Where JSON of protobuf has base64, OTLP writes ids in hex (its specification, "JSON Protobuf Encoding").
    given = json.loads(body, object_hook=_base64_ids)
    return json_format.ParseDict(given, ExportTraceServiceRequest(), ignore_unknown_fields=True)


def _base64_ids(given: dict[str, Any]) -> dict[str, Any]:
    ids = [name for name in ("traceId", "spanId", "parentSpanId") if name in given]
    return given | {name: base64.b64encode(bytes.fromhex(given[name])).decode() for name in ids}


def _plain(value: Any) -> Any:
    kind = value.WhichOneof("value")
    return (
        [_plain(each) for each in value.array_value.values] if kind == "array_value" else getattr(value, kind)
    )


@contextmanager
def open_collector() -> Iterator[Collector]:
    """Listen on a free port of this machine."""
    collector = Collector("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            collector.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
            if collector.status == 200:
                collector.take(self.headers["content-type"], body)
            self.send_response(collector.status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
