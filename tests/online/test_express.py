"""The plain way answers what the usual way answers, and leaves to it what is not plain."""

from __future__ import annotations

import re

import pytest
from factories.caller import Caller

from recsys.errors import Unavailable
from recsys.online.express import Express
from recsys.online.recommender import Recommender

PLAIN = (
    {"user_id": 5},
    {"anonymous": True, "top_k": 3},
    {"user_id": 5, "device_type": "mobile", "timestamp": 1_754_006_400, "deadline_ms": 300},
    {"user_id": 5, "category": "Main 2", "in_stock_only": True, "exclude": [1000, 993]},
    {"user_id": 5, "category": 1, "sampling": "weighted", "diversity": 0.5},
)
NOT_PLAIN = (
    ({"json": {"user_id": 5, "explain": True}}, 200),
    ({"json": {"user_id": 5, "anonymous": True}}, 422),
    ({"json": {"user_id": "x"}}, 422),
    ({"content": b"{", "headers": {"content-type": "application/json"}}, 422),
    ({"content": b'{"user_id": 5}', "headers": {"content-type": "text/plain"}}, 422),
    ({"json": {"user_id": 5}, "headers": {"authorization": "Bearer rk_0_0"}}, 401),
    ({"json": {"user_id": 5}, "headers": {"authorization": ""}}, 401),
)


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """For each request that reached the plain way, whether it was answered there."""
    found: list[bool] = []
    whole = Express.__call__

    async def watched(self: Express, scope, receive, send) -> None:
        handed_on, real = [], self._app

        async def usual(*given) -> None:
            handed_on.append(given)
            await real(*given)

        self._app = usual
        try:
            await whole(self, scope, receive, send)
        finally:
            self._app = real
            if scope["type"] == "http":
                found.append(not handed_on)

    monkeypatch.setattr(Express, "__call__", watched)
    return found


def post(caller: Caller, **request) -> tuple[int, str, set[str]]:
    """Status, body without what differs each time, names of headers."""
    answer = caller.http.post("/v1/recommendations", **request)
    text = re.sub(r'"(request_id|timings_ms)":("[^"]*"|\{[^}]*\})', "", answer.text)
    return answer.status_code, text, set(answer.headers)


@pytest.mark.parametrize("body", PLAIN)
def test_both_ways_say_the_same(
    caller: Caller, answered: list[bool], body: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = {"json": body, "headers": {"x-request-id": "one-and-the-same"}}
    plain = post(caller, **request)
    monkeypatch.setattr("recsys.online.express.PATH", "/nowhere")
    usual = post(caller, **request)
    assert plain == usual
    assert plain[0] == 200
    assert answered == [True, False]


@pytest.mark.parametrize(("request_", "status"), NOT_PLAIN)
def test_what_is_not_plain_goes_the_usual_way(
    caller: Caller, answered: list[bool], request_: dict, status: int
) -> None:
    assert post(caller, **request_)[0] == status
    assert answered == [False]


def test_it_is_counted_under_the_routes_name(caller: Caller) -> None:
    caller.recommend(user_id=5)
    metrics = caller.http.get("/metrics").text
    (line,) = re.findall(r"^recsys_gateway_requests_total\{.*", metrics, re.MULTILINE)
    assert 'route="/v1/recommendations"' in line


def test_a_refusal_takes_one_token_at_most(caller: Caller) -> None:
    limiter = caller.http.app.state.doorkeeper._limiter
    limiter._burst = 2.0
    limiter._rate_per_s = 1e-6
    caller.recommend(user_id=5)
    assert post(caller, json={"user_id": "x"})[0] == 422
    assert post(caller, json={"user_id": 5})[0] == 429


def test_what_fails_is_told_on_the_usual_way(
    caller: Caller, answered: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(self: Recommender, _: object) -> None:
        raise Unavailable("Valkey", "does not answer", "Try again")

    monkeypatch.setattr(Recommender, "recommend", fail)
    status, text, headers = post(caller, json={"user_id": 5})
    assert (status, "Valkey is not available" in text) == (503, True)
    assert "retry-after" in headers
    assert answered == [False]
