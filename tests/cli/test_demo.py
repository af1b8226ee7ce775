from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from factories.shop import make_shop

from recsys.cli import demo, services
from recsys.release.manifest import DataWindow
from recsys.release.store import ReleaseStore

TRITON = {"state": "ready", "http": "127.0.0.1:18000", "grpc": "127.0.0.1:18001", "pid": 1}


@pytest.fixture
def triton(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "document", lambda: {"services": {"triton": TRITON}})


def test_the_known_user_is_the_most_active_one_of_the_last_training_day(tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "shop", users=10, items=20, rows=50)
    users = pd.read_parquet(shop / "users.parquet")["user_id"]
    day = pd.read_parquet(shop / "day_08.parquet")
    day.loc[day.index[:25], "user_id"] = users.max()
    day.to_parquet(shop / "day_08.parquet")
    assert demo.known_user(shop) == users.max()


@pytest.mark.usefixtures("triton", "home")
def test_what_it_says_at_the_end_can_be_typed() -> None:
    text = demo._afterwards(42)
    assert "recommend --user 42 --device mobile --at 2025-08-10T19:00" in text
    assert "curl -s http://127.0.0.1:18000/v2/models/ensemble_model/infer" in text
    assert 'InferenceServerClient("127.0.0.1:18001").infer("ensemble_model", [user])' in text
    snippet = text.split("<<'END'\n")[1].split("  END")[0]
    compile("\n".join(line.removeprefix("  ") for line in snippet.splitlines()), "snippet", "exec")


@pytest.mark.usefixtures("triton")
def test_the_default_home_need_not_be_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from recsys.settings import get_settings

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RECSYS_HOME", raising=False)
    get_settings.cache_clear()
    assert "--home" not in demo._afterwards(42)
    monkeypatch.setenv("RECSYS_HOME", str(tmp_path / "a b"))
    get_settings.cache_clear()
    assert "--home 'a b' recommend" in demo._afterwards(42)
    get_settings.cache_clear()


def test_the_summary_compares_with_popularity(home: Path) -> None:
    staging = home / "staging"
    staging.mkdir(parents=True)
    (staging / "model").write_text("a")
    scores = {"chain": {"hit@10": 0.457}, "baselines": {"popularity": {"hit@10": 0.0761}}, "rows": 40_000}
    number = ReleaseStore(home / "releases").publish(
        staging, data=DataWindow(fingerprint="a", days=(0,)), metrics=scores
    )
    assert demo._summary(number, 59.6) == (
        "Release 1 after 60 s. Of 40,000 clicks on later days 45.7% are among its first 10; "
        "the 10 most popular items hold 7.6%."
    )
