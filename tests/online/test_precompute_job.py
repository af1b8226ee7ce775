"""The batch job as a whole: whom it asks, whose release it takes for served, what it says."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import ClassVar

import pytest
import redis

from recsys.features.feast_layout import entity_key
from recsys.online import keys, precompute_job
from recsys.online.batch_answer import BatchAnswer
from recsys.serving.client import Recommendation
from recsys.settings import GatewaySettings, ServingSettings, Settings, ValkeySettings

USERS = [-7, 3, 42]


class Triton:
    """Stands for `RecommendClient`: everybody gets items 5 and 6 from release 4, user 3 only a fallback."""

    addresses: ClassVar[list[str]] = []

    def __init__(self, address: str, timeout_s: float) -> None:
        assert timeout_s > 0
        self.addresses.append(address)

    def recommend(self, user_ids: Sequence[int], top: int | None = None) -> list[Recommendation]:
        return [Recommendation([5, 6][:top], [2.0, 1.0][:top], int(user == 3), 4) for user in user_ids]

    def __enter__(self) -> Triton:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


@pytest.fixture
def settings(valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(precompute_job, "RecommendClient", Triton)
    monkeypatch.setattr(Triton, "addresses", [])
    for user in USERS:
        valkey.hset(entity_key("user_id", user), "field", 1)
    port = valkey.connection_pool.connection_kwargs["port"]
    return Settings(
        valkey=ValkeySettings(url=f"redis://127.0.0.1:{port}/0"),
        gateway=GatewaySettings(triton="triton:8001", precompute_items=1),
        serving=ServingSettings(max_batch_size=2),
    )


def test_everybody_known_is_answered_and_the_next_run_asks_only_who_is_left(
    settings: Settings, valkey: redis.Redis
) -> None:
    seen = []
    told = precompute_job.answer_all(settings, progress=lambda done, users: seen.append((done.done, users)))
    assert Triton.addresses == ["triton:8001"] * 2
    assert (told["release"], told["users"], told["written"], told["degraded"]) == (4, 3, 2, 1)
    assert seen[-1] == (3, 3)
    stored = valkey.get(keys.precomputed(42))
    assert BatchAnswer.from_bytes(stored).ids.tolist() == [5]
    assert valkey.get(keys.precomputed(3)) is None
    second = precompute_job.answer_all(settings)
    assert (second["written"], second["kept"], second["degraded"]) == (0, 2, 1)
    assert precompute_job.answer_all(settings, again=True)["written"] == 2


def test_the_command_says_what_it_did(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(precompute_job, "get_settings", lambda: settings)
    precompute_job.main(["--concurrency", "1"])
    said = capsys.readouterr().out
    assert said == "2 of 3 users answered by release 4, 0 had a young answer, 1 only a fallback\n"


def test_where_valkey_is_away_it_ends_with_a_line(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    away = settings.model_copy(update={"valkey": ValkeySettings(url="redis://127.0.0.1:1/0")})
    monkeypatch.setattr(precompute_job, "get_settings", lambda: away)
    with pytest.raises(SystemExit) as ended:
        precompute_job.main([])
    assert ended.value.code == 1
    assert capsys.readouterr().err.count("\n") == 1
