"""The fused stages answer as the chain does, and are loaded by the parameters that the config renders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from factories.inputs import left_out
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from recsys.errors import BadData
from recsys.serving.chain import Chain
from recsys.serving.graph import (
    CHOICE_INPUTS,
    ENSEMBLE_OUTPUTS,
    FUSED_MODEL,
    MODELS,
    PROPENSITIES,
    RULE_INPUTS,
    model,
    steps,
)
from recsys.serving.render import model_config
from recsys.serving.stage import Stage, load_stage
from recsys.settings import Settings


@pytest.fixture
def fused(release: Path, settings: Settings) -> Stage:
    text = model_config(FUSED_MODEL, settings.serving, "/releases")
    config = text_format.Parse(text, model_config_pb2.ModelConfig())
    parameters = {name: value.string_value for name, value in config.parameters.items()}
    return load_stage(FUSED_MODEL, release, parameters)


@pytest.mark.parametrize("rows", [1, 5, 64])
def test_it_answers_like_the_chain(fused: Stage, chain: Chain, rows: int) -> None:
    rng = np.random.default_rng(rows)
    inputs = {
        "user_id": rng.integers(-5, 20, (rows, 1)),
        "device_type": rng.integers(-1, 3, (rows, 1)).astype(np.int32),
        "timestamp": rng.integers(1, 10**9, (rows, 1)),
    }
    found, expected = fused.run(inputs | left_out((*RULE_INPUTS, *CHOICE_INPUTS), rows)), chain.run(inputs)
    assert tuple(found) == (*ENSEMBLE_OUTPUTS, PROPENSITIES)
    for name in found:
        assert np.array_equal(found[name], expected[name]), name


def test_a_damaged_release_is_refused(tmp_path: Path, settings: Settings) -> None:
    parameters = {name: str(getattr(settings.serving, name)) for name in FUSED_MODEL.parameters}
    with pytest.raises(BadData):
        load_stage(FUSED_MODEL, tmp_path, parameters)


def test_the_variants_differ_in_what_the_ensemble_chains() -> None:
    assert steps("ensemble") == MODELS
    assert steps("fused") == (FUSED_MODEL,)
    assert model("ensemble_fused") is FUSED_MODEL
