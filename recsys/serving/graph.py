"""The ensemble, declared once: models, what they read and write, and so the edges between them.

Triton's `config.pbtxt` files, the in-process chain and the README's diagram all come from here.

    python -m recsys.serving.graph --write      render triton_model_repository/ again
    python -m recsys.serving.graph --check      fail if it is out of step
    python -m recsys.serving.graph --diagram    print the request's way as a Mermaid flowchart
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from recsys.schema import (
    CONTEXT_FEATURES,
    EMBEDDING_FEATURES,
    ITEM_FEATURES,
    ITEM_POPULARITY,
    ITEM_RAW,
    RECENT_FEATURES,
    USER_FEATURES,
    USER_RAW,
)
from recsys.serving.tensors import TENSORS, feature, tiled

ENSEMBLE: Final = "ensemble_model"
FUSED: Final = "ensemble_fused"
RELEASES_PARAMETER: Final = "releases"
"""The models' parameter that names the folder of releases."""

CONTEXT_INPUTS: Final = ("user_id", "device_type", "timestamp")
RULE_INPUTS: Final = ("only_category_l1", "only_category_l2", "in_stock_only", "exclude")
CHOICE_INPUTS: Final = (
    "top_k",
    "sampling",
    "diversity",
    "seed",
    "diversity_by",
    "max_per_category",
    "explore",
)
ENSEMBLE_INPUTS: Final = (*CONTEXT_INPUTS, *RULE_INPUTS, *CHOICE_INPUTS)
ENSEMBLE_OUTPUTS: Final = ("ordered_ids", "ordered_scores", "degraded", "ordered_sources")
PROPENSITIES: Final = "propensities"
"""What a client may ask for besides: the chance of each place of an answer that explores."""


@dataclass(frozen=True)
class Model:
    """One model of the ensemble, run by the stage of the same name.

    Attributes:
        name: Triton's model name and the module in `recsys.serving.stages`.
        does: One line for the diagram and the config's head.
        inputs: Input name of the model -> tensor of the graph.
        outputs: Output name of the model -> tensor of the graph.
        parameters: Fields of `ServingSettings` that its stage is loaded with.
        store: Whether its stage asks Valkey.
        module: Where its stage is loaded from; `recsys.serving.stages.<name>` when empty.
    """

    name: str
    does: str
    inputs: dict[str, str]
    outputs: dict[str, str]
    parameters: tuple[str, ...] = ()
    store: bool = False
    module: str = ""


def _same(*names: str) -> dict[str, str]:
    """Inputs or outputs that are called like their tensors."""
    return {name: name for name in names}


def _features(names: Iterable[str]) -> dict[str, str]:
    return _same(*(feature(name) for name in names))


_RANKER_INPUTS: Final = {
    **{name: tiled(name) for name in (*USER_FEATURES, *CONTEXT_FEATURES)},
    **{name: feature(name) for name in ITEM_FEATURES},
    **_same(*EMBEDDING_FEATURES, "user_embedding", *RECENT_FEATURES, ITEM_POPULARITY),
}

MODELS: Final[tuple[Model, ...]] = (
    Model(
        "context_preprocessor",
        "imputes a missing device and time",
        inputs=_same(*CONTEXT_INPUTS),
        outputs=_same("context_device", "context_time"),
    ),
    Model(
        "feast_user_lookup",
        "reads the user's features from Feast's online store, and the newest clicks",
        inputs=_same("user_id", "timestamp"),
        outputs=_same("age", "gender", "top_category", *RECENT_FEATURES, "user_flags"),
        store=True,
    ),
    Model(
        "nvt_user_transform",
        "applies the fitted user workflow",
        inputs=_same(*USER_RAW),
        outputs=_features(USER_FEATURES),
    ),
    Model(
        "nvt_context_transform",
        "applies the fitted context workflow",
        inputs={"device_type": "context_device", "timestamp": "context_time"},
        outputs=_features(CONTEXT_FEATURES),
    ),
    Model(
        "query_tower",
        "embeds the user in their context, after their newest clicks",
        inputs={
            **{name: feature(name) for name in (*USER_FEATURES, *CONTEXT_FEATURES)},
            **_same(*RECENT_FEATURES),
            "timestamp": "context_time",
        },
        outputs=_same("user_embedding"),
    ),
    Model(
        "faiss_retrieval",
        "finds the candidates with the greatest inner product, and popular ones, within the shop's rules",
        inputs=_same("user_embedding", "top_category", *RULE_INPUTS),
        outputs=_same("candidates", "candidate_scores", "candidate_sources", "retrieval_flags"),
        parameters=(
            "retrieved",
            "ranked",
            "popular_places",
            "category_places",
            "trending_places",
            "sources_refresh_s",
            "index_shards",
            "index_timeout_s",
            "index_silence",
        ),
        store=True,
    ),
    Model(
        "filter_seen_items",
        "drops what the user has seen",
        inputs=_same("user_id", "candidates", "candidate_scores", "candidate_sources", *RULE_INPUTS),
        outputs=_same("items", "retrieval_scores", "item_sources", "filter_flags"),
        parameters=("ranked", "returned"),
        store=True,
    ),
    Model(
        "feast_item_lookup",
        "looks up the items' values in a cache of Feast's, and how popular they are right now",
        inputs=_same("items"),
        outputs=_same(*ITEM_RAW, ITEM_POPULARITY, "item_flags"),
        parameters=("item_refresh_s",),
        store=True,
    ),
    Model(
        "nvt_item_transform",
        "applies the fitted item workflow",
        inputs=_same(*ITEM_RAW),
        outputs=_features(ITEM_FEATURES),
    ),
    Model(
        "multimodal_embedding_lookup",
        "looks up the image and text embeddings",
        inputs=_same("items"),
        outputs=_same(*EMBEDDING_FEATURES),
    ),
    Model(
        "unroll_features",
        "hands on user and context for all items",
        inputs=_features((*USER_FEATURES, *CONTEXT_FEATURES)),
        outputs=_same(*(tiled(name) for name in (*USER_FEATURES, *CONTEXT_FEATURES))),
    ),
    Model(
        "dlrm_ranking",
        "scores how likely a click is",
        inputs=_RANKER_INPUTS,
        outputs={"score": "click_scores"},
        parameters=("ranker_threads",),
    ),
    Model(
        "softmax_sampling",
        "orders by score, samples by weight, or spreads the answer",
        inputs=_same(
            "user_id",
            "context_time",
            "items",
            "retrieval_scores",
            "item_sources",
            "click_scores",
            "user_flags",
            "retrieval_flags",
            "filter_flags",
            "item_flags",
            *CHOICE_INPUTS,
        ),
        outputs=_same("ordered_items", "ordered_scores", "ordered_sources", PROPENSITIES, "degraded"),
        parameters=(
            "returned",
            "sampling",
            "temperature",
            "sampling_temperature",
            "sampling_seed",
            "diversity",
            "diversity_by",
            "max_per_category",
            "explore",
        ),
    ),
    Model(
        "item_id_decoder",
        "turns item indexes into the shop's ids",
        inputs=_same("ordered_items"),
        outputs=_same("ordered_ids"),
    ),
)

FUSED_MODEL: Final = Model(
    FUSED,
    "runs the stages of all fourteen models in one process",
    inputs=_same(*ENSEMBLE_INPUTS),
    outputs=_same(*ENSEMBLE_OUTPUTS, PROPENSITIES),
    parameters=tuple(dict.fromkeys(name for each in MODELS for name in each.parameters)),
    store=True,
    module="recsys.serving.fused",
)


def steps(variant: str) -> tuple[Model, ...]:
    """The models that `ensemble_model` chains.

    Args:
        variant: `ServingSettings.variant`. Either way the ensemble is what clients ask, and its pins are what
            a switch of releases changes.
    """
    return (FUSED_MODEL,) if variant == "fused" else MODELS


def model(name: str) -> Model:
    """The model of that name.

    Raises:
        KeyError: There is none.
    """
    return {known.name: known for known in (*MODELS, FUSED_MODEL)}[name]


def edges() -> list[tuple[str, str, list[str]]]:
    """Who hands which tensors to whom: (producer, consumer, tensors), ends being the ensemble itself.

    Returns:
        In the order of `MODELS`; `request` stands for the ensemble's inputs and `answer` for its outputs.
    """
    producer = dict.fromkeys(ENSEMBLE_INPUTS, "request")
    found: dict[tuple[str, str], list[str]] = {}
    for each in MODELS:
        for tensor in each.inputs.values():
            found.setdefault((producer[tensor], each.name), []).append(tensor)
        producer |= dict.fromkeys(each.outputs.values(), each.name)
    for tensor in (*ENSEMBLE_OUTPUTS, PROPENSITIES):
        found.setdefault((producer[tensor], "answer"), []).append(tensor)
    return [(source, target, tensors) for (source, target), tensors in found.items()]


def is_optional(tensor: str) -> bool:
    """Whether a request may leave this tensor out."""
    return TENSORS[tensor].default is not None


if __name__ == "__main__":
    from recsys.serving.render import main

    main()
