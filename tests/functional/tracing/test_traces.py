"""One trace from a shop's request through gateway and Triton, and a link from its click to the worker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from factories.collector import Collector, Got, open_collector
from factories.taste_shop import fill, make_shop

from recsys.online.drill_system import System
from recsys.settings import ServingSettings, Settings

pytestmark = pytest.mark.functional

CALLER = "c3" * 8
FUSED = Settings(serving=ServingSettings(variant="fused"))


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[System, Collector]]:
    home: Path = tmp_path_factory.mktemp("traced")
    make_shop(home)
    with open_collector() as collector, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        with System(home, FUSED) as system:
            with system.client() as client:
                fill(home, client)
            yield system, collector


def ask(system: System, path: str, body: dict, trace: str = "5a" * 16) -> dict:
    caller = f"00-{trace}-{CALLER}-01"
    headers = {"authorization": f"Bearer {system.token}", "traceparent": caller}
    answer = httpx.post(f"{system.url}{path}", json=body, headers=headers, timeout=10)
    assert answer.status_code in (200, 202), answer.text
    return answer.json()


def test_gateway_and_triton_report_within_the_callers_trace(traced: tuple[System, Collector]) -> None:
    system, collector = traced
    inside: list[Got] = []
    # Triton 2.51, just started on a busy machine, was seen to begin a trace of its own for the first request.
    for trace in (each * 16 for each in ("a1", "a2", "a3", "a4")):
        ask(system, "/v1/recommendations", {"user_id": 5}, trace)
        (request,) = within(collector, trace, "POST /v1/recommendations")
        assert (request.service, request.parent) == ("recsys-gateway", CALLER)
        assert request.attributes["http.response.status_code"] == 200
        (call,) = within(collector, trace, "ensemble")
        assert call.parent == request.id
        inside = collector.find(
            lambda span, of=trace: (span.service, span.trace) == ("recsys-triton", of), 10
        )
        if inside:
            break
    assert inside, sorted({(span.service, span.name, span.trace[:4]) for span in collector.spans})
    assert call.id in {span.parent for span in inside}
    assert any("ensemble_fused" in f"{span.name} {span.attributes}" for span in inside)


def within(collector: Collector, trace: str, name: str) -> list[Got]:
    """The spans of that name in a trace, waited for."""
    return collector.find(lambda span: (span.name, span.trace) == (name, trace))


def test_the_worker_links_what_it_applies_to_who_clicked(traced: tuple[System, Collector]) -> None:
    system, collector = traced
    ask(system, "/v1/events", {"user_id": 5, "item_id": 5_001})
    (accepted,) = collector.find(lambda span: span.name == "POST /v1/events")
    found = collector.find(lambda span: span.name == "apply events" and accepted.trace in span.links)
    assert [span.service for span in found] == ["recsys-worker"]


def test_probes_leave_no_spans(traced: tuple[System, Collector]) -> None:
    system, collector = traced
    httpx.get(f"{system.url}/readyz", timeout=10)
    ask(system, "/v1/events", {"user_id": 6, "item_id": 5_001})
    collector.find(lambda span: span.name == "POST /v1/events")
    assert not [span for span in collector.spans if "readyz" in span.name]
