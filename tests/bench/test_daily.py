from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recsys.bench import daily
from recsys.bench.daily import measure, summary
from recsys.bench.daily_runs import Run
from recsys.errors import BadUse
from recsys.models.outcomes import Outcomes
from recsys.release.gate import judge
from recsys.settings import Settings

_USERS = 400


class _Outcomes(dict):
    """Stands in for what a release did with each row; rank 0: the click was not in the list."""


def _outcomes(rank: np.ndarray) -> _Outcomes:
    return _Outcomes(chain_rank=rank.astype(np.int32), user=np.arange(len(rank)) // 2)


@pytest.fixture
def found() -> dict[str, _Outcomes]:
    """The parent finds no click, training anew half of them, fine-tuning three quarters of those."""
    rank = {name: np.zeros(2 * _USERS) for name in ("parent", "daily", "retrained")}
    rank["retrained"][:_USERS] = 1
    rank["daily"][: _USERS * 3 // 4] = 1
    return {name: _outcomes(ranks) for name, ranks in rank.items()}


def _runs(daily_s: float = 20.0) -> dict[str, Run]:
    return {
        "parent": Run(1, {"validate": 1.0, "train": 89.0, "evaluate": 500.0}, {"train": 80.0}),
        "daily": Run(
            2,
            {"finetune": daily_s, "remeasure": 500.0, "gate": 50.0},
            {"finetune": 18.0, "gate": 9.0},
            {"finetune": 3.0, "gate": 9.0},
        ),
        "retrained": Run(3, {"validate": 1.0, "train": 99.0, "publish": 5.0}, {"train": 180.0}),
    }


def test_shares_are_those_of_gain_and_of_learning_time(found) -> None:
    document = summary(_runs(), found)
    assert document["gain_share"] == pytest.approx(0.75)
    assert document["time_share"] == pytest.approx(0.2)
    assert document["cpu_share"] == pytest.approx(0.1)
    assert document["daily"]["load"] == 3.0
    assert document["rows"] == 2 * _USERS
    assert [document[name]["ndcg@10"] for name in ("parent", "daily", "retrained")] == [0, 0.375, 0.5]
    gain = document["gain"]["daily"]
    assert gain["value"] == pytest.approx(0.375)
    assert gain["low"] < 0.375 < gain["high"]


def test_no_share_of_a_gain_that_is_none(found) -> None:
    found["retrained"] = found["parent"]
    assert summary(_runs(), found)["gain_share"] is None


def test_a_click_below_the_tenth_place_counts_nothing() -> None:
    assert daily._discounted(np.array([1, 10, 11, 2**62])).tolist() == pytest.approx(
        [1.0, 1 / np.log2(11), 0.0, 0.0]
    )


def test_days_that_cannot_be_are_refused_before_anything_is_trained(tmp_path) -> None:
    from factories.shop import make_shop

    shop = make_shop(tmp_path / "shop", rows=20, days=range(4))
    with pytest.raises(BadUse, match="no day comes after"):
        measure(shop, Settings(home=tmp_path / "home"), [0, 1], [2, 3], print)
    assert not (tmp_path / "home").exists()


def test_what_is_measured_is_not_measured_twice(tmp_path, monkeypatch, found) -> None:
    asked: list[Path] = []

    def remeasure(release: Path, *_: object) -> Outcomes:
        asked.append(release)
        return Outcomes.of(**found["daily"], row=np.arange(2 * _USERS), retrieval_rank=np.zeros(2 * _USERS))

    monkeypatch.setattr(daily, "remeasure", remeasure)
    twice = [daily._measured(tmp_path, tmp_path / "7", None, Settings()) for _ in range(2)]
    assert asked == [tmp_path / "7"]
    assert [one["chain_rank"].tolist() for one in twice] == [found["daily"]["chain_rank"].tolist()] * 2
    assert [path.name for path in tmp_path.iterdir()] == ["outcomes.npz"]


def test_the_gate_lets_every_release_through_while_it_is_measured() -> None:
    hurried = daily._hurried(Settings())
    assert judge({"retrieval": {}, "chain": {}}, hurried.gate).passed is False, "what is missing still fails"
    nothing = {
        "retrieval": {"hit@300": 0.0, "ndcg@10": 0.1},
        "chain": {"hit@10": 0.0, "ndcg@10": 0.0},
        "ranker": {"auc": 0.0},
        "baselines": {"popularity": {"hit@10": 1.0}},
    }
    assert judge(nothing, hurried.gate).passed
    assert hurried.training == Settings().training
