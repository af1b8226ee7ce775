"""The graph hangs together: each tensor is made once, before it is read, and by a stage that exists."""

from __future__ import annotations

from pathlib import Path

import pytest

from recsys import schema
from recsys.serving import stages
from recsys.serving.graph import (
    ENSEMBLE_INPUTS,
    ENSEMBLE_OUTPUTS,
    MODELS,
    PROPENSITIES,
    edges,
    is_optional,
    model,
)
from recsys.serving.tensors import TENSORS
from recsys.settings import ServingSettings


def test_fourteen_models_one_stage_file_each() -> None:
    files = {path.stem for path in Path(stages.__path__[0]).glob("*.py")} - {"__init__"}
    assert {each.name for each in MODELS} == files
    assert len(MODELS) == 14


def test_each_tensor_is_made_once_and_before_it_is_read() -> None:
    made = set(ENSEMBLE_INPUTS)
    for each in MODELS:
        assert set(each.inputs.values()) <= made, each.name
        assert not set(each.outputs.values()) & made, each.name
        made |= set(each.outputs.values())
    assert set(ENSEMBLE_OUTPUTS) <= made
    assert made == set(TENSORS)


def test_each_tensor_is_read_by_somebody() -> None:
    read = {tensor for each in MODELS for tensor in each.inputs.values()}
    read |= {*ENSEMBLE_OUTPUTS, PROPENSITIES}
    assert read == set(TENSORS)


def test_the_contract_of_the_ensemble() -> None:
    settings = ServingSettings()
    ports = {name: (TENSORS[name].dtype.name, TENSORS[name].dims(settings)) for name in ENSEMBLE_INPUTS}
    assert ports == {
        "user_id": ("int64", (1,)),
        "device_type": ("int32", (1,)),
        "timestamp": ("int64", (1,)),
        "only_category_l1": ("int64", (8,)),
        "only_category_l2": ("int64", (8,)),
        "in_stock_only": ("int32", (1,)),
        "exclude": ("int64", (1000,)),
        "top_k": ("int32", (1,)),
        "sampling": ("int32", (1,)),
        "diversity": ("float32", (1,)),
        "seed": ("int64", (1,)),
        "diversity_by": ("int32", (1,)),
        "max_per_category": ("int32", (1,)),
        "explore": ("float32", (1,)),
    }
    assert [name for name in ENSEMBLE_INPUTS if not is_optional(name)] == ["user_id"]
    ports = {name: (TENSORS[name].dtype.name, TENSORS[name].dims(settings)) for name in ENSEMBLE_OUTPUTS}
    assert ports == {
        "ordered_ids": ("int64", (100,)),
        "ordered_scores": ("float32", (100,)),
        "degraded": ("int32", (1,)),
        "ordered_sources": ("int32", (100,)),
    }


def test_the_models_read_what_their_exports_read() -> None:
    assert set(model("query_tower").inputs) == {
        *schema.USER_FEATURES,
        *schema.CONTEXT_FEATURES,
        *schema.RECENT_FEATURES,
        "timestamp",
    }
    assert set(model("dlrm_ranking").inputs) == {
        *schema.USER_FEATURES,
        *schema.CONTEXT_FEATURES,
        *schema.ITEM_FEATURES,
        *schema.EMBEDDING_FEATURES,
        *schema.RECENT_FEATURES,
        schema.ITEM_POPULARITY,
        "user_embedding",
    }


def test_edges_follow_the_request_from_end_to_end() -> None:
    found = edges()
    assert ("query_tower", "faiss_retrieval", ["user_embedding"]) in found
    assert {source for source, _, _ in found} == {"request", *(each.name for each in MODELS)}
    assert {target for _, target, _ in found} == {"answer", *(each.name for each in MODELS)}


def test_no_model_of_an_unknown_name() -> None:
    with pytest.raises(KeyError):
        model("tower")
