from __future__ import annotations

import asyncio
import time

import pytest

from recsys.errors import Unavailable
from recsys.online.balance import Balanced, open_ensemble
from recsys.online.ensemble import Ensemble
from recsys.online.question import Question
from recsys.serving.client import Recommendation
from recsys.settings import GatewaySettings, Settings


class Replica:
    """Answers with its number, or is away."""

    def __init__(self, number: int) -> None:
        self.number, self.away, self.asked, self.closed = number, False, 0, False

    async def recommend(self, question: Question, deadline: float, headers=None) -> Recommendation:
        self.asked += 1
        if self.away:
            raise Unavailable(f"Triton {self.number}", "away", "See `recsys status`")
        return Recommendation([1], [1.0], 0, self.number)

    async def is_ready(self, timeout_s: float) -> bool:
        return not self.away

    async def close(self) -> None:
        self.closed = True


def ask(balanced: Balanced, times: int, seconds: float = 60.0) -> list[int]:
    async def all_of_them() -> list[int]:
        deadline = time.monotonic() + seconds
        return [(await balanced.recommend(Question(1), deadline)).release for _ in range(times)]

    return asyncio.run(all_of_them())


def test_replicas_are_asked_in_turn() -> None:
    assert ask(Balanced([Replica(1), Replica(2), Replica(3)]), 7) == [1, 2, 3, 1, 2, 3, 1]


def test_one_that_is_away_is_passed_over() -> None:
    one, two = Replica(1), Replica(2)
    one.away = True
    balanced = Balanced([one, two])
    assert ask(balanced, 4) == [2, 2, 2, 2]
    one.away = False
    assert set(ask(balanced, 2)) == {1, 2}


def test_when_all_are_away_the_last_failure_is_told() -> None:
    replicas = [Replica(1), Replica(2)]
    for each in replicas:
        each.away = True
    with pytest.raises(Unavailable, match="Triton 2: away"):
        ask(Balanced(replicas), 1)
    assert [each.asked for each in replicas] == [1, 1]


def test_no_other_is_asked_once_the_time_is_up() -> None:
    one, two = Replica(1), Replica(2)
    one.away = True
    with pytest.raises(Unavailable, match="Triton 1"):
        ask(Balanced([one, two]), 1, seconds=-1)
    assert two.asked == 0


def test_it_is_ready_while_one_of_them_is() -> None:
    one, two = Replica(1), Replica(2)
    balanced = Balanced([one, two])
    one.away = True
    assert asyncio.run(balanced.is_ready(1))
    two.away = True
    assert not asyncio.run(balanced.is_ready(1))
    asyncio.run(balanced.close())
    assert one.closed and two.closed


@pytest.mark.parametrize(
    ("addresses", "kind"),
    [("", Ensemble), ("a:1", Ensemble), ("dns:///a:1", Ensemble), ("a:1,b:1", Balanced)],
)
def test_several_addresses_are_balanced_here_and_a_name_by_grpc(addresses: str, kind: type) -> None:
    async def opened() -> type:
        ensemble = open_ensemble(Settings(gateway=GatewaySettings(triton=addresses)))
        await ensemble.close()
        return type(ensemble)

    assert asyncio.run(opened()) is kind
