"""Traces by OpenTelemetry where `OTEL_EXPORTER_OTLP_ENDPOINT` says where they go; else nothing is imported.

The standard variables hold: OTEL_EXPORTER_OTLP_ENDPOINT or …_TRACES_ENDPOINT, …_HEADERS, …_TIMEOUT (s),
OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Final, Literal, Protocol

Kind = Literal["internal", "server", "client", "producer", "consumer"]
Value = str | int | float | bool

TRACEPARENT: Final = "traceparent"


class Span(Protocol):
    """A piece of work that is timed."""

    def rename(self, name: str) -> None:
        """Call it otherwise, where its name is known only at the end."""

    def note(self, name: str, value: Value) -> None:
        """Add something that is known of it."""

    def fail(self, cause: str) -> None:
        """Say that it did not do what it should."""


class Tracer(Protocol):
    """Makes spans; which one is current follows the code, through tasks as well."""

    def span(
        self,
        name: str,
        kind: Kind = "internal",
        parent: Mapping[str, str] | None = None,
        links: Sequence[str] = (),
    ) -> AbstractContextManager[Span]:
        """A span within the current one.

        Args:
            name: What is done.
            kind: Its part in a conversation.
            parent: Headers of a caller that has a trace already.
            links: `traceparent` of other traces that led to this work.
        """

    def headers(self) -> dict[str, str]:
        """The current span, as headers for somebody who is called; empty without one."""

    def close(self) -> None:
        """Send what is left."""


class NoTracer:
    """Traces nothing."""

    @contextmanager
    def span(
        self,
        name: str,
        kind: Kind = "internal",
        parent: Mapping[str, str] | None = None,
        links: Sequence[str] = (),
    ) -> Iterator[Span]:
        """Nothing happens but what is inside."""
        del name, kind, parent, links
        yield _NOTHING

    def headers(self) -> dict[str, str]:
        """Always empty."""
        return {}

    def close(self) -> None:
        """Nothing is left to send."""


class _Nothing:
    def rename(self, name: str) -> None:
        """Not kept."""

    def note(self, name: str, value: Value) -> None:
        """Not kept."""

    def fail(self, cause: str) -> None:
        """Not kept."""


_NOTHING: Final = _Nothing()


def endpoint() -> str | None:
    """Where traces go, a URL; None for nowhere."""
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    if whole := os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        return whole
    base = os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    return f"{base.rstrip('/')}/v1/traces" if base else None


def open_tracer(service: str) -> Tracer:
    """The tracer of a process.

    Args:
        service: Its name where OTEL_SERVICE_NAME gives none.
    """
    url = endpoint()
    if url is None:
        return NoTracer()
    from recsys.otlp import OtlpTracer

    return OtlpTracer(service, url)


def triton_options(url: str) -> list[str]:
    """Command-line options with which Triton sends its own spans, within the trace of whoever calls it.

    Args:
        url: See `endpoint`.
    """
    share = 1.0
    if "traceidratio" in os.environ.get("OTEL_TRACES_SAMPLER", ""):
        share = float(os.environ.get("OTEL_TRACES_SAMPLER_ARG", "1"))
    if share <= 0:
        return []
    return [
        "--trace-config=mode=opentelemetry",
        f"--trace-config=opentelemetry,url={url}",
        "--trace-config=opentelemetry,resource=service.name=recsys-triton",
        "--trace-config=opentelemetry,bsp_schedule_delay=1000",
        # One request in so many; those that come with a trace of their own are counted alike.
        f"--trace-config=rate={max(1, round(1 / share))}",
        "--trace-config=level=TIMESTAMPS",
        "--trace-config=count=-1",
    ]
