"""Keys, rates, probes, and what callers see of faults."""

from __future__ import annotations

import itertools

import pytest
import redis
from factories.caller import Caller, open_caller

from recsys.online.auth import KeyStore, Scope, create_key, revoke_key
from recsys.online.gateway_process import keys_path
from recsys.settings import Settings


def test_keys_and_scopes(caller: Caller, valkey: redis.Redis) -> None:
    path = keys_path(caller.settings)
    reader, gone = create_key(path, [Scope.READ]), create_key(path)
    revoke_key(path, gone.split("_")[1])
    caller.http.app.state.doorkeeper._keys = KeyStore(path)
    calls = [
        ("POST", "/v1/recommendations", {"user_id": 5}),
        ("POST", "/v1/events", {"user_id": 5, "item_id": 7}),
        ("DELETE", "/v1/users/5/history", None),
        ("GET", "/v1/items", None),
    ]
    wrong = [None, "", "Bearer", "Bearer x", f"Bearer {reader}x", f"Bearer {gone}", f"Basic {reader}"]
    for (method, path_, body), header in itertools.product(calls, wrong):
        caller.http.headers.pop("authorization", None)
        headers = {} if header is None else {"authorization": header}
        answer = caller.http.request(method, path_, json=body, headers=headers)
        assert answer.status_code == 401, (method, path_, header)
        assert answer.headers["www-authenticate"] == "Bearer"
    given = {"x-api-key": reader}
    statuses = [caller.http.request(m, p, json=b, headers=given).status_code for m, p, b in calls]
    assert statuses == [200, 403, 403, 200]
    assert valkey.keys("*") == []


def test_a_key_that_is_used_too_often_waits(gateway_settings: Settings) -> None:
    slow = gateway_settings.gateway.model_copy(update={"rate_per_s": 0.001, "burst": 2})
    for caller in open_caller(gateway_settings.model_copy(update={"gateway": slow})):
        statuses = [caller.http.get("/v1/items").status_code for _ in range(3)]
        assert statuses == [200, 200, 429]
        assert int(caller.http.get("/v1/items").headers["retry-after"]) > 100


def test_probes_and_metrics_need_no_key(caller: Caller) -> None:
    caller.recommend(user_id=5)
    caller.http.headers.pop("authorization")
    assert caller.http.get("/healthz").json()["status"] == "ok"
    ready = caller.http.get("/readyz")
    assert ready.status_code == 200
    assert ready.json() == {"status": "degraded", "parts": {"triton": "down", "valkey": "up"}}
    text = caller.http.get("/metrics").text
    assert 'recsys_gateway_degraded_total{rung="popular"} 1.0' in text
    assert 'route="/v1/recommendations",status="200"} 1.0' in text


def test_not_ready_before_there_is_a_release(gateway_settings: Settings) -> None:
    (gateway_settings.home / "releases" / "current").unlink()
    for caller in open_caller(gateway_settings):
        assert caller.http.get("/readyz").status_code == 503
        answer = caller.recommend(user_id=5)
        assert answer["items"] == []
        assert answer["release"] is None


def test_a_request_keeps_a_harmless_id_and_loses_another(caller: Caller) -> None:
    kept = caller.http.get("/healthz", headers={"x-request-id": "abc-1"})
    lost = caller.http.get("/healthz", headers={"x-request-id": "a b\tc"})
    assert kept.headers["x-request-id"] == "abc-1"
    assert len(lost.headers["x-request-id"]) == 32


def test_what_breaks_inside_stays_inside(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    services = caller.http.app.state.services

    def broken() -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(services.catalogues, "current", broken)
    answer = caller.http.get("/v1/items")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
