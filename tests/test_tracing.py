"""Traces: nothing at all without an endpoint; with one, whole and within the caller's trace."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from factories.collector import Collector, open_collector

from recsys import tracing

CALLER = "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01"
SERVER, CLIENT, CONSUMER, INTERNAL = 2, 3, 5, 1
ERROR = 2


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with open_collector() as running:
        for name in [name for name in os.environ if name.startswith("OTEL_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", running.url + "/")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "Api-Key=a%20b, x=y")
        yield running


def test_without_an_endpoint_nothing_of_the_sdk_is_imported() -> None:
    program = (
        "import sys; from recsys.online.gateway import create_app; from recsys.online import worker_process;"
        "from recsys.tracing import open_tracer, NoTracer; assert isinstance(open_tracer('x'), NoTracer);"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry.sdk')]"
    )
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    found = subprocess.run(
        [sys.executable, "-c", program], env=clean, capture_output=True, timeout=60, check=False
    )
    assert found.returncode == 0, found.stderr.decode()


@pytest.mark.parametrize(
    ("variables", "url"),
    [
        ({}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, "http://c:4318/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c/x/"}, "http://c/x/v1/traces"),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://t/in"},
            "http://t/in",
        ),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_SDK_DISABLED": "true"}, None),
    ],
)
def test_the_standard_variables_say_where(
    variables: dict[str, str], url: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert tracing.endpoint() == url


def test_spans_arrive_in_the_callers_trace_nested_and_with_what_is_known(collector: Collector) -> None:
    tracer = tracing.open_tracer("shop")
    with tracer.span("outer", "server", {"traceparent": CALLER}) as outer:
        outer.note("answers", 3)
        outer.note("share", 0.5)
        outer.note("right", value=True)
        with pytest.raises(ZeroDivisionError), tracer.span("inner", "client"):
            carried = tracer.headers()["traceparent"]
            raise ZeroDivisionError
        outer.rename("renamed")
    tracer.close()
    inner, outer_span = sorted(collector.spans, key=lambda span: span.name)
    assert (outer_span.name, outer_span.service, outer_span.kind) == ("renamed", "shop", SERVER)
    assert (outer_span.trace, outer_span.parent) == ("ab" * 16, "cd" * 8)
    assert outer_span.attributes == {"answers": 3, "share": 0.5, "right": True}
    assert (inner.trace, inner.parent, inner.kind) == (outer_span.trace, outer_span.id, CLIENT)
    assert (inner.status, outer_span.status) == (ERROR, 0)
    assert carried == f"00-{inner.trace}-{inner.id}-01"
    assert outer_span.begin <= inner.begin <= inner.end <= outer_span.end
    (path, headers) = collector.requests[0]
    assert path == "/v1/traces"
    assert (headers["api-key"], headers["x"]) == ("a b", "y")


def test_work_for_many_is_linked_to_each_of_them_once(collector: Collector) -> None:
    tracer = tracing.open_tracer("worker")
    with tracer.span("batch", "consumer", links=[CALLER, CALLER, "nonsense"]) as span:
        span.fail("half of it")
    tracer.close()
    (found,) = collector.spans
    assert (found.links, found.parent, found.kind, found.status) == (["ab" * 16], "", CONSUMER, ERROR)


@pytest.mark.parametrize("given", ["", "nonsense", "00-" + "0" * 32 + "-" + "0" * 16 + "-01"])
def test_a_caller_without_a_trace_gets_a_new_one(collector: Collector, given: str) -> None:
    tracer = tracing.open_tracer("shop")
    with tracer.span("outer", "server", {"traceparent": given}):
        pass
    tracer.close()
    assert collector.spans[0].parent == ""


def test_tasks_keep_their_spans_apart(collector: Collector) -> None:
    tracer = tracing.open_tracer("shop")

    async def request(number: int) -> None:
        with tracer.span(f"request {number}", "server", {}):
            await asyncio.sleep(0.01)
            with tracer.span(f"call {number}"):
                await asyncio.sleep(0.01)

    async def go() -> None:
        await asyncio.gather(*(request(number) for number in range(5)))

    asyncio.run(go())
    tracer.close()
    by_name = {span.name: span for span in collector.spans}
    assert len({span.trace for span in collector.spans}) == 5
    for number in range(5):
        assert by_name[f"call {number}"].parent == by_name[f"request {number}"].id


def test_a_collector_that_refuses_or_is_gone_harms_nobody(
    collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    collector.status = 503
    tracer = tracing.open_tracer("shop")
    with tracer.span("outer"):
        pass
    tracer.close()  # before the exporter has given up
    assert collector.spans == []
    assert "Service Unavailable" in caplog.text


@pytest.mark.parametrize(("share", "rate"), [("0.25", "rate=4"), ("1", "rate=1"), ("0", None)])
def test_triton_samples_as_the_gateway_does(
    share: str, rate: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", share)
    options = tracing.triton_options("http://c/v1/traces")
    assert (f"--trace-config={rate}" in options) == (rate is not None)
    assert bool(options) == (rate is not None)
