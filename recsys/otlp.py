"""Traces through OpenTelemetry's SDK, sent as OTLP over HTTP in protobuf.

OpenTelemetry's own exporter wants a protobuf that TensorFlow 2.12 does not bear, so the few lines that send a
batch are here. Spans wait in a bounded queue and are sent in a thread; what does not get through is dropped.
"""

from __future__ import annotations

import http.client
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from opentelemetry import trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from recsys.tracing import TRACEPARENT, Kind, Span, Value

_log = logging.getLogger(__name__)

_SCHEDULE_MS: Final = 1_000
_TIMEOUT_MS: Final = "10000"
_KINDS: Final = {kind.name.lower(): kind for kind in trace.SpanKind}


class OtlpTracer:
    """Makes spans and sends them.

    Args:
        service: Name of this process.
        url: Where to send them.
    """

    def __init__(self, service: str, url: str) -> None:
        resource = Resource.create({SERVICE_NAME: os.environ.get("OTEL_SERVICE_NAME") or service})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(
            BatchSpanProcessor(OtlpHttpExporter(url), schedule_delay_millis=_SCHEDULE_MS)
        )
        self._tracer = self._provider.get_tracer("recsys")
        self._propagator = TraceContextTextMapPropagator()

    @contextmanager
    def span(
        self,
        name: str,
        kind: Kind = "internal",
        parent: Mapping[str, str] | None = None,
        links: Sequence[str] = (),
    ) -> Iterator[Span]:
        """A span within the current one; see `Tracer.span`. What is raised inside is noted in it."""
        context = None if parent is None else self._propagator.extract(dict(parent))
        linked = [self._link(each) for each in dict.fromkeys(links)]
        with self._tracer.start_as_current_span(
            name, context=context, kind=_KINDS[kind], links=[link for link in linked if link is not None]
        ) as span:
            yield _OtlpSpan(span)

    def headers(self) -> dict[str, str]:
        """The current span as headers."""
        carrier: dict[str, str] = {}
        self._propagator.inject(carrier)
        return carrier

    def close(self) -> None:
        """Send what is left and stop."""
        self._provider.shutdown()

    def _link(self, traceparent: str) -> trace.Link | None:
        context = trace.get_current_span(
            self._propagator.extract({TRACEPARENT: traceparent})
        ).get_span_context()
        return trace.Link(context) if context.is_valid else None


class _OtlpSpan:
    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def rename(self, name: str) -> None:
        """Call it otherwise."""
        self._span.update_name(name)

    def note(self, name: str, value: Value) -> None:
        """Add an attribute."""
        self._span.set_attribute(name, value)

    def fail(self, cause: str) -> None:
        """Mark it as failed."""
        self._span.set_status(trace.Status(trace.StatusCode.ERROR, cause))


class OtlpHttpExporter(SpanExporter):
    """Posts batches of spans; headers and time limit come from the standard variables.

    Args:
        url: http or https.
    """

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self._timeout_s = int(os.environ.get("OTEL_EXPORTER_OTLP_TIMEOUT", _TIMEOUT_MS)) / 1000
        self._headers = {"content-type": "application/x-protobuf", **_headers()}

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send one batch."""
        secure = self._url.scheme == "https"
        connect = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = connect(self._url.netloc, timeout=self._timeout_s)
        path = self._url.path or "/"
        try:
            connection.request("POST", path, encode(spans), self._headers)
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            _log.warning("%d spans are lost: %s", len(spans), error)
            return SpanExportResult.FAILURE
        finally:
            connection.close()
        if status >= 300:
            _log.warning("%d spans are lost: status %d", len(spans), status)
            return SpanExportResult.FAILURE
        return SpanExportResult.SUCCESS


def encode(spans: Sequence[ReadableSpan]) -> bytes:
    """Spans of one process as an `ExportTraceServiceRequest`.

    Args:
        spans: At least one.
    """
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    group.resource.attributes.extend(_attributes(spans[0].resource.attributes))
    scope = group.scope_spans.add()
    scope.scope.name = "recsys"
    for span in spans:
        context = span.get_span_context()
        parent = b"" if span.parent is None else _span_id(span.parent)
        made = scope.spans.add(
            trace_id=_trace_id(context),
            span_id=_span_id(context),
            parent_span_id=parent,
            name=span.name,
            kind=span.kind.value + 1,  # OTLP counts from "unspecified"
            start_time_unix_nano=span.start_time,
            end_time_unix_nano=span.end_time,
            attributes=_attributes(span.attributes),
        )
        made.status.code = span.status.status_code.value
        made.status.message = span.status.description or ""
        for event in span.events:
            attributes = _attributes(event.attributes)
            made.events.add(name=event.name, time_unix_nano=event.timestamp, attributes=attributes)
        for link in span.links:
            made.links.add(trace_id=_trace_id(link.context), span_id=_span_id(link.context))
    encoded: bytes = request.SerializeToString()
    return encoded


def _attributes(found: Mapping[str, Any] | None) -> list[KeyValue]:
    return [KeyValue(key=name, value=_value(value)) for name, value in (found or {}).items()]


def _value(value: Any) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, list | tuple):
        return AnyValue(array_value=ArrayValue(values=[_value(each) for each in value]))
    return AnyValue(string_value=str(value))


def _trace_id(context: trace.SpanContext) -> bytes:
    number: int = context.trace_id
    return number.to_bytes(16, "big")


def _span_id(context: trace.SpanContext) -> bytes:
    number: int = context.span_id
    return number.to_bytes(8, "big")


def _headers() -> dict[str, str]:
    """OTEL_EXPORTER_OTLP_HEADERS: name=value, separated by commas, values URL-encoded."""
    pairs = [each.partition("=") for each in os.environ.get("OTEL_EXPORTER_OTLP_HEADERS", "").split(",")]
    return {name.strip().lower(): unquote(value.strip()) for name, sign, value in pairs if sign}
