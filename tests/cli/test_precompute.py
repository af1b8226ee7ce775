from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from recsys.local import services
from recsys.online import precompute_job
from recsys.settings import Settings


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the job is given, in a home whose services run."""
    found: dict[str, Any] = {}

    def answer_all(settings: Settings, *, progress: Any, **options: Any) -> dict[str, Any]:
        progress(SimpleNamespace(done=1), 2)
        found.update(options, triton=settings.gateway.triton, valkey=settings.valkey.url)
        return {"release": 4, "users": 2, "written": 1, "kept": 1, "degraded": 0, "seconds": 0.1}

    endpoints = {"triton": {"grpc": "127.0.0.1:7001"}, "valkey": {"url": "redis://127.0.0.1:7002/0"}}
    monkeypatch.setattr(services, "require_ready", lambda _, name: endpoints[name])
    monkeypatch.setattr(precompute_job, "answer_all", answer_all)
    return found


def test_it_asks_the_services_of_this_home(run, home, asked: dict[str, Any]) -> None:
    told = json.loads(run("precompute", "--concurrency", "3", "--again", "--json").out)
    assert (told["release"], told["written"]) == (4, 1)
    assert asked == {
        "concurrency": 3,
        "again": True,
        "triton": "127.0.0.1:7001",
        "valkey": "redis://127.0.0.1:7002/0",
    }
    said = run("precompute").out
    assert "1 of 2 users answered by release 4, 1 had a young answer, 0 only a fallback" in said


def test_where_nothing_runs_it_says_what_to_start(run, home) -> None:
    refused = run("precompute")
    assert refused.code == 1
    assert "Start it with `recsys up`" in refused.err
