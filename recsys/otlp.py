"""Traces through OpenTelemetry's SDK, sent as OTLP over HTTP in protobuf.

Spans wait in a bounded queue and are sent in a thread; what does not get through is dropped.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from recsys.tracing import TRACEPARENT, Kind, Span, Value

_SCHEDULE_MS: Final = 1_000
_CLOSE_S: Final = 3.0
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
            BatchSpanProcessor(OTLPSpanExporter(endpoint=url), schedule_delay_millis=_SCHEDULE_MS)
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
        """Send what is left and stop.

        The exporter goes on trying for about a minute when the collector is busy; nobody's end waits for it.
        """
        last = threading.Thread(target=self._provider.shutdown, daemon=True)
        last.start()
        last.join(_CLOSE_S)

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
