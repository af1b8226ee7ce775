"""Batch answers of a real Triton, served instead of it and when it is gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from factories.shopper import Shopper, wait_until
from factories.taste_shop import USERS, fill, make_shop

from recsys.online.drill_system import System
from recsys.online.precompute import Precompute, known_users
from recsys.schema import Degraded
from recsys.serving.client import RecommendClient
from recsys.settings import GatewaySettings, ServingSettings, Settings, ValkeySettings

pytestmark = pytest.mark.functional

BATCH = Settings(
    serving=ServingSettings(variant="fused", item_refresh_s=0.5),
    gateway=GatewaySettings(mode="precomputed"),
    valkey=ValkeySettings(timeout_s=2.0, connect_timeout_s=2.0),
)
NEWCOMER = 999_999


@pytest.fixture(scope="module")
def shopper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shopper]:
    home: Path = tmp_path_factory.mktemp("precomputed")
    make_shop(home)
    with System(home, BATCH) as system, system.client() as client:
        fill(home, client)
        assert system.triton is not None
        with RecommendClient(system.triton.endpoints["grpc"], 30) as triton:
            assert wait_until(lambda: triton.recommend([USERS[0]])[0].degraded == 0, 300) is not None
            found = Precompute([triton], client, system.settings).run(known_users(client))
        assert (found.written, found.degraded) == (len(USERS), 0)
        yield Shopper(system)


def sources(answer: dict) -> set[str]:
    return {item["source"] for item in answer["items"]}


def test_known_users_get_their_batch_answer_and_newcomers_the_ensembles(shopper: Shopper) -> None:
    answer = shopper.recommend(USERS[0], explain=True)
    assert sources(answer) == {"precomputed"}
    assert answer["degraded"] == Degraded.PRECOMPUTED
    assert sources(shopper.recommend(NEWCOMER, explain=True)) == {"ensemble"}


def test_what_was_clicked_since_is_left_out(shopper: Shopper) -> None:
    before = shopper.top(USERS[1])
    shopper.click(USERS[1], before[0])
    assert wait_until(lambda: before[0] not in shopper.top(USERS[1])) is not None
    assert shopper.top(USERS[1])[: len(before) - 1] == before[1:]


def test_without_triton_they_go_on_being_answered(shopper: Shopper) -> None:
    system = shopper.system
    assert system.triton is not None
    system.kill(system.triton.process)
    assert sources(shopper.recommend(USERS[2], explain=True)) == {"precomputed"}
    assert sources(shopper.recommend(NEWCOMER, explain=True)) == {"popular"}
