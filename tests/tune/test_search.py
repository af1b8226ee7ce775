from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import kubernetes_validate
import numpy as np
import optuna
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from recsys.errors import BadUse, RecsysError
from recsys.models.outcomes import Outcomes
from recsys.settings import Settings
from recsys.tune import ablation, katib
from recsys.tune.judge import judge
from recsys.tune.overrides import changed, variables
from recsys.tune.runs import Run
from recsys.tune.seeds import HEADLINE, over_seeds, summary, value
from recsys.tune.space import SPACE, Choice
from recsys.tune.study import inner_days, objective_of, tune

BEST = 0.012


@dataclass
class FakeBench:
    """Runs whose quality is known: the nearer the learning rate to the best one, the better."""

    data: Path = Path("shop")
    baselines: str = "all"
    asked: list[Settings] = field(default_factory=list)
    broken: bool = False
    beside: list[str] = field(default_factory=list)

    def quality(self, settings: Settings) -> float:
        return 0.5 - abs(float(np.log(settings.training.retrieval.learning_rate / BEST))) / 10

    def train_towers(self, settings: Settings, progress: Any = None) -> dict[str, float]:
        if self.broken:
            raise RecsysError("training", "the loss is not finite", "Lower the learning rate")
        return {"ndcg@10": self.quality(settings), "seconds": 1.0}

    def run(self, settings: Settings, progress: Any = lambda _: None) -> Run:
        self.asked.append(settings)
        self.beside.append(self.baselines)
        progress("towers")
        good = self.quality(settings) + settings.training.seed / 1_000
        metrics = {"hit@10": good, "ndcg@10": good, "hit@300": 0.9}
        document = {
            "chain": metrics,
            "retrieval": metrics,
            "anonymous": {"chain": metrics},
            "unseen": {"chain": metrics},
            "ranker": {"auc": 0.9},
            "baselines": {"popularity": metrics},
            "seconds": {"towers": 1.0, "ranker": 2.0},
            "rows": 100,
        }
        rank = np.where(np.arange(100) < 100 * good, 1, 0)
        rows = Outcomes.of(
            row=np.arange(100), user=np.arange(100) // 2, chain_rank=rank, retrieval_rank=np.full(100, 20)
        )
        return Run(settings, document, rows)


def test_settings_change_by_name_and_say_so_for_a_shell():
    own = changed(Settings(), {"training.retrieval.epochs": 7, "evaluation.rows": 9})
    assert (own.training.retrieval.epochs, own.evaluation.rows) == (7, 9)
    assert own.training.ranking == Settings().training.ranking
    assert variables({"training.retrieval.epochs": 7}) == "RECSYS_TRAINING__RETRIEVAL__EPOCHS=7"
    for name in ("training.retrieval.epoch", "nothing.at.all", "training.seed.more"):
        with pytest.raises(BadUse, match="no such setting"):
            changed(Settings(), {name: 1})


def test_what_is_printed_for_a_shell_is_read_as_the_same_settings(monkeypatch):
    values = {name: part.values[-1] if isinstance(part, Choice) else part.low for name, part in SPACE.items()}
    values = {name: int(one) if getattr(SPACE[name], "whole", False) else one for name, one in values.items()}
    for line in variables(values).splitlines():
        name, _, text = line.partition("=")
        monkeypatch.setenv(name, text)
    assert Settings() == changed(Settings(), values)


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=6))
def test_the_interval_over_seeds_is_student_s(values):
    from scipy import stats

    found = summary(values)
    if np.std(values) > 1e-9:
        expected = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
        assert found["interval"] == pytest.approx(list(expected), rel=1e-6, abs=1e-9)
    assert np.isnan(summary([0.5])["interval"]).all()


def test_each_seed_is_one_run_of_the_same_recipe():
    bench, told = FakeBench(), []
    found = over_seeds(bench, Settings(), [1, 2, 3], lambda text, share: told.append((text, share)))
    assert [one.training.seed for one in bench.asked] == [1, 2, 3]
    assert found["headline"].keys() == set(HEADLINE)
    low, high = found["headline"]["chain.ndcg@10"]["interval"]
    assert low < found["headline"]["chain.ndcg@10"]["mean"] < high
    assert found["headline"]["ranker.auc"]["interval"] == [0.9, 0.9]
    assert found["seconds"] == [3, 3, 3]
    assert told[1] == ("seed 2: towers", 1 / 3)
    assert bench.beside == ["all", "popularity", "popularity"]
    assert np.isnan(value({"a": {"b": "text"}}, "a.b"))


def test_a_part_s_gain_is_what_the_recipe_loses_without_it():
    bench = FakeBench()
    settings = changed(Settings(), {"training.retrieval.learning_rate": BEST})
    found = ablation.ablate(bench, settings, "no dropout, one epoch")
    assert list(found["variants"]) == ["recipe", "no dropout", "one epoch"]
    assert found["variants"]["no dropout"]["difference"]["chain.hit@10"]["mean"] == 0
    worse = bench.run(changed(settings, {"training.retrieval.learning_rate": 0.03}))
    lost = ablation.difference(worse.outcomes, bench.run(settings).outcomes)["chain.hit@10"]
    assert lost["mean"] == pytest.approx(-0.09)
    assert lost["interval"][1] < 0
    assert not [name for name in ablation.WITHOUT if "," in name]  # names are given with commas between
    with pytest.raises(BadUse, match="no heads"):
        ablation.ablate(bench, settings, "no heads")


def test_variants_that_change_nothing_are_left_out():
    bench = FakeBench()
    found = ablation.ablate(bench, Settings())
    assert f"{Settings().training.retrieval.query_tower} query tower" not in found["variants"]
    assert len(bench.asked) == len(found["variants"]) == len(ablation.WITHOUT)


def test_a_study_begins_with_the_recipe_gets_better_and_goes_on(tmp_path):
    bench, storage = FakeBench(), tmp_path / "tune" / "study.db"
    settings = changed(Settings(), {"training.retrieval.learning_rate": 0.003})
    first = tune([bench], settings, storage, trials=4)
    assert first["trials"] == 4
    recipe = bench.asked[0].training.retrieval
    assert recipe.learning_rate == 0.003
    assert [one["trial"] for one in first["tried"]] == [0, 1, 2, 3]
    assert max(one["value"] for one in first["tried"]) == first["best"]["value"]
    assert first["begun"] == pytest.approx(bench.quality(settings) + 0.042)
    again = tune([bench], settings, storage, trials=4)
    assert again == first
    more = tune([bench], settings, storage, trials=18)
    assert more["trials"] == 18
    assert more["best"]["value"] > first["begun"]
    assert more["pruned"] > 0
    assert len(bench.asked) == 18 - more["pruned"]
    assert [one["value"] for one in more["tried"]].count(None) == more["pruned"]
    shares = more["importance"]
    assert shares.keys() == SPACE.keys()
    assert shares["training.retrieval.learning_rate"] > 2 * np.median(list(shares.values()))
    best = changed(settings, more["best"]["settings"])
    assert bench.quality(best) + 0.042 == pytest.approx(more["best"]["value"])


def test_a_recipe_of_another_call_is_tried_as_well(tmp_path):
    bench, storage = FakeBench(), tmp_path / "study.db"
    tune([bench], Settings(), storage, trials=2)
    own = changed(Settings(), {"training.retrieval.learning_rate": BEST})
    found = tune([bench], own, storage, trials=3)
    assert found["best"]["trial"] == 2
    assert found["best"]["settings"]["training.retrieval.learning_rate"] == BEST
    assert tune([bench], own, storage, trials=3) == found
    other = changed(Settings(), {"training.retrieval.learning_rate": 0.02})
    assert tune([bench], other, storage, trials=3) == found  # no budget is left for it


def test_settings_for_several_data_sets_suit_all_of_them(tmp_path):
    @dataclass
    class OtherBench(FakeBench):
        def quality(self, settings: Settings) -> float:
            return 0.1 * super().quality(settings)

    quick, slow = FakeBench(), OtherBench(data=Path("other"))
    found = tune([quick, slow], Settings(), tmp_path / "study.db", trials=12)
    for one in found["tried"]:
        if one["value"] is not None:
            assert one["value"] == pytest.approx(np.sqrt(np.prod(one["data_sets"])))
            assert one["seconds"] == 6.0
    assert objective_of([{"chain": {"ndcg@10": 0.2}}, {"chain": {"ndcg@10": 0.8}}]) == pytest.approx(0.4)
    assert len(slow.asked) == len(quick.asked) < 12  # one that is ended early is not begun on the next
    assert (
        tune([quick], Settings(), tmp_path / "study.db", trials=1)["tried"][0]["data_sets"]
        != found["tried"][0]["data_sets"]
    )


def test_towers_are_compared_with_those_of_the_same_data_set(tmp_path):
    @dataclass
    class EasyBench(FakeBench):
        def quality(self, settings: Settings) -> float:
            return 0.9

    found = tune([EasyBench(), FakeBench()], Settings(), tmp_path / "study.db", trials=18)
    pruned = [one for one in found["tried"] if one["state"] == "pruned"]
    assert pruned
    assert all(len(one["data_sets"]) == 1 for one in pruned)


def test_what_a_search_found_is_judged_with_several_seeds():
    bench, settings = FakeBench(), changed(Settings(), {"training.retrieval.learning_rate": 0.003})
    found = judge(bench, settings, {"training.retrieval.learning_rate": BEST}, [1, 2])
    assert [one.training.seed for one in bench.asked] == [1, 2, 1, 2]
    gain = bench.quality(changed(settings, {"training.retrieval.learning_rate": BEST})) - bench.quality(
        settings
    )
    one = found["difference"]["chain.ndcg@10"]
    assert one["values"] == pytest.approx([gain, gain])
    assert found["found"]["chain.ndcg@10"] - found["recipe"]["chain.ndcg@10"] == pytest.approx(gain)
    assert found["better"]
    back = judge(bench, changed(settings, {"training.retrieval.learning_rate": BEST}), {}, [1, 2])
    assert not back["better"]
    with pytest.raises(BadUse, match="luck"):
        judge(bench, settings, {}, [1])


def test_no_trial_begins_after_the_time_and_a_failed_one_counts(tmp_path):
    assert tune([FakeBench()], Settings(), tmp_path / "a.db", trials=5, minutes=0)["trials"] <= 1
    found = tune([FakeBench(broken=True)], Settings(), tmp_path / "b.db", trials=3)
    assert (found["failed"], found["best"]) == (3, None)
    with pytest.raises(BadUse, match="budget"):
        tune([FakeBench()], Settings(), tmp_path / "c.db", trials=0)


def test_a_study_that_goes_on_tries_new_points(tmp_path):
    for trials in (1, 2, 3, 4, 5, 8):
        found = tune([FakeBench()], Settings(), tmp_path / "study.db", trials=trials)
    tried = [one["settings"]["training.retrieval.learning_rate"] for one in found["tried"]]
    assert len(set(tried)) == len(tried) == 8


def test_what_was_running_when_it_was_killed_is_tried_again(tmp_path):
    @dataclass
    class KilledBench(FakeBench):
        def run(self, settings: Settings, progress: Any = lambda _: None) -> Run:
            if len(self.asked) == 1:
                raise KeyboardInterrupt
            return super().run(settings, progress)

    storage, first = tmp_path / "study.db", KilledBench()
    with pytest.raises(KeyboardInterrupt):
        tune([first], Settings(), storage, trials=3)
    study = optuna.load_study(study_name=None, storage=f"sqlite:///{storage}")
    killed = study.trials[1]
    running = study.ask()  # as a process leaves it that dies without a word
    running.suggest_float("training.retrieval.dropout", 0.0, 0.4)
    second = FakeBench()
    found = tune([second], Settings(), storage, trials=5)
    assert killed.state == optuna.trial.TrialState.FAIL
    assert found["failed"] == 2
    assert second.asked[0].training.retrieval.dropout == running.params["training.retrieval.dropout"]
    assert len(second.asked) == 2
    found = tune([second], Settings(), storage, trials=5)
    assert {one["state"] for one in found["tried"]} == {"complete", "fail"}


def test_the_days_that_releases_are_measured_on_are_not_looked_at():
    @dataclass
    class Shop:
        days: tuple[int, ...]
        path: Path = Path("shop")
        split: dict[str, list[int]] = field(default_factory=dict)

    assert inner_days(Shop(tuple(range(14)))) == tuple(range(7))
    with pytest.raises(BadUse, match="too few"):
        inner_days(Shop((0, 1, 9)))


def test_the_experiment_searches_the_same_space():
    document = yaml.safe_load(katib.experiment(Settings(), 12, "registry/recsys:1"))
    parameters = {one["name"]: one for one in document["spec"]["parameters"]}
    template = document["spec"]["trialTemplate"]
    container = template["trialSpec"]["spec"]["template"]["spec"]["containers"][0]
    environment = {one["name"]: one["value"] for one in container["env"]}
    assert len(parameters) == len(SPACE) == len(template["trialParameters"])
    for one in template["trialParameters"]:
        variable = f"RECSYS_{one['description'].upper().replace('.', '__')}"
        assert environment[variable] == f"${{trialParameters.{one['name']}}}"
        space, part = parameters[one["reference"]]["feasibleSpace"], SPACE[one["description"]]
        if isinstance(part, Choice):
            assert space["list"] == [str(choice) for choice in part.values]
        else:
            assert (float(space["min"]), float(space["max"])) == (part.low, part.high)
    assert document["spec"]["maxTrialCount"] == 12
    job = template["trialSpec"] | {"metadata": {"name": "trial"}}
    kubernetes_validate.validate(job, "1.30", strict=True)
    with pytest.raises(BadUse, match="image"):
        katib.experiment(Settings(), 12, "")
