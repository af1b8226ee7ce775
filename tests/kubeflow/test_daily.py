from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from factories.release import make_release
from factories.shop import make_shop

from recsys.errors import BadData, BadUse, RecsysError
from recsys.kubeflow import StepEvent, daily, run_daily
from recsys.release.manifest import DataWindow, Verdict
from recsys.release.store import ReleaseStore
from recsys.settings import FinetuneSettings, GateSettings, Settings


class _Pipeline:
    """Stands in for the local runner: publishes a ready release and remembers the arguments."""

    def __init__(self, tmp_path: Path) -> None:
        self.calls: list[Mapping[str, Any]] = []
        self.reason = ""
        self._made = make_release(tmp_path / "made", seed=1)

    def __call__(self, pipeline: Any, arguments: Mapping[str, Any], home: Path, progress: Any) -> Any:
        self.calls.append(arguments)
        store = ReleaseStore(arguments["store"])
        learned = store.show(arguments["release"]).data.days
        (self._made / "days").write_text(str(arguments["days"]))
        number = store.publish(
            self._made,
            data=DataWindow(fingerprint="d", days=(*learned, *arguments["days"])),
            metrics={},
            kind="daily",
            parent=arguments["release"],
            gate=Verdict(passed=not self.reason, reason=self.reason),
            fingerprint=arguments["fingerprint"],
        )
        return {"Output": number}


@pytest.fixture
def store(tmp_path: Path) -> ReleaseStore:
    """A store whose only release has learned days 0 to 2."""
    found = ReleaseStore(tmp_path / "home" / "releases")
    made = make_release(tmp_path / "first")
    found.set_current(found.publish(made, data=DataWindow(fingerprint="d", days=(0, 1, 2)), metrics={}))
    return found


@pytest.fixture
def pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _Pipeline:
    found = _Pipeline(tmp_path)
    monkeypatch.setattr(daily, "run_local", found)
    return found


@pytest.fixture
def run(tmp_path: Path, pipeline: _Pipeline, store: ReleaseStore) -> Callable[..., int]:
    shop = make_shop(tmp_path / "shop", rows=20, days=range(5))
    events: list[StepEvent] = []

    def run_once(settings: Settings | None = None, **more: Any) -> int:
        return run_daily(shop, tmp_path / "home", settings or Settings(), events.append, **more)

    return run_once


def test_arguments_say_all_that_decides_the_release(run, pipeline, tmp_path):
    assert run() == 2
    (arguments,) = pipeline.calls
    assert (arguments["release"], arguments["days"]) == (1, [3])
    assert arguments["data"] == str(tmp_path / "shop")
    assert arguments["recipe"] == FinetuneSettings().model_dump(mode="json")
    assert arguments["floors"] == GateSettings().model_dump(mode="json")
    assert {"serving", "evaluation"} == set(arguments["sizes"])
    assert "training" in arguments["measure"]
    assert "finetune" not in arguments["measure"]


def test_the_same_day_again_trains_nothing_and_makes_no_second_release(run, pipeline, store):
    assert [run(), run(), run(days=[3])] == [2, 2, 2]
    assert len(pipeline.calls) == 1
    assert (store.numbers(), store.current()) == ((1, 2), 2)


def test_the_next_day_starts_from_the_release_of_the_day_before(run, pipeline, tmp_path, store):
    run()
    make_shop(tmp_path / "shop", rows=20, days=range(6))
    assert run() == 3
    assert [(call["release"], call["days"]) for call in pipeline.calls] == [(1, [3]), (2, [4])]
    assert store.show(3).data.days == (0, 1, 2, 3, 4)
    assert store.current() == 3


def test_a_run_that_was_killed_before_its_promotion_is_promoted_by_the_next(run, pipeline, store):
    run()
    store.set_current(1)
    assert run() == 2
    assert (len(pipeline.calls), store.current()) == (1, 2)


def test_promotion_may_be_another_s_and_is_asked_for_until_it_is_done(run, pipeline, store):
    asked: list[int] = []

    def fails(number: int) -> None:
        asked.append(number)
        raise RecsysError("triton", "answers otherwise", "It serves what it served")

    for _ in range(2):
        with pytest.raises(RecsysError, match="answers otherwise"):
            run(promote=fails)
    assert (asked, store.current()) == ([2, 2], 1)
    assert run(promote=store.set_current) == 2
    assert run(promote=fails) == 2, "it is current: nobody is asked again"
    assert len(pipeline.calls) == 1


def test_a_release_that_another_one_has_overtaken_is_not_promoted(run, store, tmp_path):
    other = make_release(tmp_path / "other", seed=2)
    published = store.publish(other, data=DataWindow(fingerprint="d", days=(0, 1, 2)), metrics={})
    store.set_current(published)
    assert run(release=1) == 3
    assert store.current() == published


def test_a_refused_release_is_an_error_each_time_and_never_current(run, pipeline, store):
    pipeline.reason = "chain.ndcg@10 fell"
    for _ in range(2):
        with pytest.raises(RecsysError, match=r"release 2: refused by its gate: chain\.ndcg@10 fell"):
            run()
    assert (len(pipeline.calls), store.current()) == (1, 1)


@pytest.mark.parametrize("change", ["recipe", "data"])
def test_other_inputs_train_again(run, pipeline, tmp_path, change):
    run()
    if change == "data":
        make_shop(tmp_path / "shop", rows=20, days=range(5), seed=1)
        assert run(days=[3]) == 3
    else:
        assert run(Settings(finetune={"replay_share": 0.1})) == 3
    assert [call["release"] for call in pipeline.calls] == [1, 1]


def test_what_cannot_be_is_refused_before_anything_runs(run, pipeline, tmp_path):
    with pytest.raises(BadUse, match="day 4: no day comes after it"):
        run(days=[4])
    with pytest.raises(BadUse, match="release 9"):
        run(release=9)
    with pytest.raises(BadData, match="no such folder"):
        run_daily(tmp_path / "nowhere", tmp_path / "home", Settings())
    assert pipeline.calls == []
