from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from recsys.kubeflow.recipe import recipe_of, settings_of
from recsys.settings import (
    EncoderSettings,
    PopularitySettings,
    RankingSettings,
    ServingSettings,
    Settings,
    TrainingSettings,
)


def _as_kubeflow_hands_it_on(value: Any) -> Any:
    """Numbers travel as doubles in a protobuf Struct."""
    if isinstance(value, dict):
        return {k: _as_kubeflow_hands_it_on(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_as_kubeflow_hands_it_on(v) for v in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def test_recipe_survives_the_way_through_kubeflow() -> None:
    settings = Settings(training=TrainingSettings(seed=7), serving=ServingSettings(ranked=250))
    recipe = recipe_of(settings)
    there = settings_of(_as_kubeflow_hands_it_on(json.loads(json.dumps(recipe))))
    assert recipe_of(there) == recipe
    assert (there.training.seed, there.serving.ranked) == (7, 250)
    assert isinstance(there.training.seed, int)


def test_recipe_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = recipe_of(Settings(training=TrainingSettings(seed=7)))
    monkeypatch.setenv("RECSYS_TRAINING__SEED", "8")
    assert settings_of(recipe).training.seed == 7


def test_places_and_ports_do_not_count() -> None:
    here = recipe_of(Settings())
    moved = recipe_of(Settings(home="elsewhere", serving=ServingSettings(http_port=9)))
    assert here == moved
    assert "home" not in here


def test_what_decides_the_result_counts() -> None:
    here = recipe_of(Settings())
    assert here != recipe_of(Settings(training=TrainingSettings(seed=1)))
    assert here != recipe_of(Settings(serving=ServingSettings(ranked=200)))


def test_half_life_of_popularity_counts_where_the_ranker_is_told() -> None:
    slow = PopularitySettings(half_life_s=7_200)
    told = TrainingSettings(ranking=RankingSettings(popularity=True))
    assert recipe_of(Settings(popularity=slow)) == recipe_of(Settings())
    assert "popularity" not in recipe_of(Settings())
    recipe = recipe_of(Settings(popularity=slow, training=told))
    assert recipe != recipe_of(Settings(training=told))
    assert settings_of(_as_kubeflow_hands_it_on(recipe)).popularity == slow


def test_size_of_the_lists_of_popular_items_does_not_count() -> None:
    told = TrainingSettings(ranking=RankingSettings(popularity=True))
    assert recipe_of(Settings(popularity=PopularitySettings(size=9), training=told)) == recipe_of(
        Settings(training=told)
    )


def test_weights_in_a_local_folder_count_by_content(tmp_path: Path) -> None:
    settings = Settings(encoders=EncoderSettings(text=f"sentence-transformers:{tmp_path}"))
    (tmp_path / "weights").write_bytes(b"a")
    before = recipe_of(settings)
    (tmp_path / "weights").write_bytes(b"b")
    after = recipe_of(settings)
    assert before != after
    assert settings_of(after).encoders == settings.encoders


def test_value_out_of_range_is_refused() -> None:
    with pytest.raises(ValidationError):
        settings_of({"training": {"mask_user_share": 2}})
