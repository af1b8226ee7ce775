from __future__ import annotations

import json
from contextlib import nullcontext

import fakeredis
import numpy as np
import pandas as pd
import pytest

from recsys.cli import release_trial
from recsys.cli.release_trial import parse_share
from recsys.errors import BadUse
from recsys.online import exposures, keys, shadow, trial
from recsys.online.exposures import Exposure
from recsys.online.trial import Trial


@pytest.mark.parametrize(("text", "share"), [("10%", 0.1), ("0.05", 0.05), ("0", 0.0), ("100%", 1.0)])
def test_shares(text: str, share: float) -> None:
    assert parse_share(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["ten", "101%", "-1%", "2", "%"])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(BadUse, match="Write 10% or"):
        parse_share(text)


def test_a_release_cannot_be_tried_where_nothing_runs(run, home) -> None:
    outcome = run("release", "promote", "1", "--shadow", "lots")
    assert outcome.code == 2
    assert outcome.err.startswith("recsys: share 'lots': not a number")


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> fakeredis.FakeRedis:
    """The Valkey that the commands see."""
    made = fakeredis.FakeRedis()
    monkeypatch.setattr(release_trial, "running_valkey", lambda _: nullcontext(made))
    return made


def test_the_report_of_a_shadow(run, home, client) -> None:
    empty = json.loads(run("release", "shadow", "--json").out)
    assert (empty["trial"], empty["copies"], empty["overlap@10"]) == (None, 0, None)
    trial.start(client, Trial(8, shadow=0.1))
    shadow.add(client, shadow.Sums(copies=4, overlap=3, shift=-0.2, served_ms=40, challenger_ms=60))
    found = json.loads(run("release", "shadow", "--json").out)
    assert found["trial"] == {"release": 8, "shadow": 0.1, "canary": 0.0}
    assert (found["overlap@10"], found["score_shift"], found["challenger_ms"]) == (0.75, -0.05, 15)
    assert "Release 8, 10% of requests" in " ".join(run("release", "shadow").out.split())


def test_the_better_release_is_named_with_an_interval(run, home, client) -> None:
    shown = [Exposure(user, 7 + user % 2, 1_000 * user, (user,)) for user in range(200)]
    exposures.write(client, shown, most=1_000)
    for user in (*range(1, 200, 2), 2, 4):  # all of release 8's users click, two of release 7's
        click = {"user_id": user, "item_id": user, "at_ms": 1_000 * user + 5, "event_type": "click"}
        client.xadd(keys.EVENTS, click)
    found = json.loads(run("release", "compare", "7", "8", "--json").out)
    assert (found["better"], found["first"]["clicked"], found["second"]["rate"]) == (8, 2, 1.0)
    assert found["low"] > 0.9
    assert "Release 8 is better: +98.00%, 95 % interval" in " ".join(
        run("release", "compare", "7", "8").out.split()
    )
    refused = run("release", "compare", "7", "9")
    assert refused.err.startswith("recsys: release 9: 0 users were shown its answers")


def test_explored_answers_are_weighed_by_their_chances(run, home, client) -> None:
    chances = {7: (0.5,), 8: ()}
    shown = [Exposure(user, 7 + user % 2, 1_000, (user,), chances[7 + user % 2]) for user in range(200)]
    shown[0] = Exposure(0, 7, 1_000, (0,), (0.1,))
    exposures.write(client, shown, most=1_000)
    client.xadd(keys.EVENTS, {"user_id": 0, "item_id": 0, "at_ms": 1_005, "event_type": "click"})
    found = json.loads(run("release", "compare", "7", "8", "--json").out)["explored"]
    assert list(found) == ["7"]
    assert (found["7"]["answers"], found["7"]["rate"]) == (100, 0.01)
    assert found["7"]["even"] == pytest.approx(10 / (10 + 99 * 2))
    assert found["7"]["low"] <= found["7"]["even"] <= found["7"]["high"]
    assert "drawn evenly (SNIPS)" in run("release", "compare", "7", "8").out


def test_where_the_log_is_a_queue_clicks_come_from_files(run, home, client, tmp_path, monkeypatch) -> None:
    shown = [Exposure(user, 7 + user % 2, 1_000 * user, (user,)) for user in range(200)]
    exposures.write(client, shown, most=1_000)
    clicked = np.arange(1, 200, 2)
    day = pd.DataFrame({"user_id": clicked, "item_id": clicked, "timestamp": clicked, "device_type": 0})
    day.to_parquet(tmp_path / "day_12.parquet")
    monkeypatch.setenv("RECSYS_EVENTS__LOG", "sqs")
    monkeypatch.setenv("RECSYS_EVENTS__SQS_QUEUE_URL", "http://127.0.0.1:1/queue")
    monkeypatch.setenv("RECSYS_EVENTS__SQS_DEAD_LETTER_URL", "http://127.0.0.1:1/dead")
    refused = run("release", "compare", "7", "8")
    assert refused.err.startswith("recsys: clicks: the event log is SQS")
    given = ("--events", tmp_path / "day_12.parquet", "--json")
    found = json.loads(run("release", "compare", "7", "8", *given).out)
    assert (found["better"], found["first"]["clicked"], found["second"]["rate"]) == (8, 0, 1.0)


def test_a_trial_ends_where_nothing_runs_any_more(run, home, client) -> None:
    trial.start(client, Trial(8, shadow=0.1))
    assert run("release", "withdraw").code == 0
    assert trial.read(client) is None
