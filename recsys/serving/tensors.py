"""Every tensor of the ensemble, once: name, dtype and shape beside the batch dimension."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from recsys.schema import (
    CONTEXT_FEATURES,
    EMBEDDING_DIM,
    EMBEDDING_FEATURES,
    ITEM_FEATURES,
    ITEM_POPULARITY,
    NO_ITEM,
    RECENT_CLICKS,
    RECENT_FEATURES,
    UNKNOWN,
    USER_FEATURES,
)

if TYPE_CHECKING:  # the settings' library would cost each of fourteen model processes 10 MB
    from recsys.settings import ServingSettings

Width = int | str
"""A fixed number, or the name of the `ServingSettings` field that sets it."""

INT32: Final = np.dtype("int32")
INT64: Final = np.dtype("int64")
FP32: Final = np.dtype("float32")

RETRIEVED: Final = "retrieved"
RANKED: Final = "ranked"
RETURNED: Final = "returned"

CATEGORIES: Final = 8
"""Categories of one level that a request may be limited to."""

EXCLUDED: Final = 1_000
"""Items that a request may exclude."""


@dataclass(frozen=True)
class Tensor:
    """A named array that flows between models; its first dimension is the batch.

    Attributes:
        name: Unique in the graph.
        dtype: NumPy dtype.
        shape: Dimensions after the batch; a name stands for a width from the settings.
        default: What stands in for an optional input of the ensemble; None if it must be given.
    """

    name: str
    dtype: np.dtype
    shape: tuple[Width, ...] = (1,)
    default: int | None = None

    def neutral(self, rows: int, dims: tuple[int, ...]) -> np.ndarray:
        """What a request that leaves this input out stands for: its default, [rows, *dims]."""
        return np.full((rows, *dims), self.default, self.dtype)

    def dims(self, settings: ServingSettings) -> tuple[int, ...]:
        """The shape in numbers."""
        return tuple(width if isinstance(width, int) else getattr(settings, width) for width in self.shape)


def feature(name: str) -> str:
    """Name of the tensor that holds an encoded feature, apart from the raw column of that name."""
    return f"{name}_feature"


def tiled(name: str) -> str:
    """Name of the tensor that holds a user or context feature as the ranker takes it: once for all items."""
    return f"{name}_tiled"


_REQUEST = (
    Tensor("user_id", INT64),
    Tensor("device_type", INT32, default=UNKNOWN),
    Tensor("timestamp", INT64, default=0),
)
_RULES = (
    Tensor("only_category_l1", INT64, (CATEGORIES,), default=UNKNOWN),
    Tensor("only_category_l2", INT64, (CATEGORIES,), default=UNKNOWN),
    Tensor("in_stock_only", INT32, default=0),
    Tensor("exclude", INT64, (EXCLUDED,), default=NO_ITEM),
)
_CHOICE = (
    Tensor("top_k", INT32, default=0),
    Tensor("sampling", INT32, default=UNKNOWN),
    Tensor("diversity", FP32, default=-1),
    Tensor("seed", INT64, default=0),
    Tensor("diversity_by", INT32, default=UNKNOWN),
    Tensor("max_per_category", INT32, default=UNKNOWN),
    Tensor("explore", FP32, default=-1),
)
_CONTEXT = (Tensor("context_device", INT64), Tensor("context_time", INT64))
_USER = (
    Tensor("age", FP32),
    Tensor("gender", INT64),
    Tensor("top_category", INT64),
    *(Tensor(name, dtype, (RECENT_CLICKS,)) for name, dtype in RECENT_FEATURES.items()),
    Tensor("user_flags", INT32),
)
_ENCODED = (
    *(Tensor(feature(name), dtype) for name, dtype in (USER_FEATURES | CONTEXT_FEATURES).items()),
    *(Tensor(feature(name), dtype, (RANKED,)) for name, dtype in ITEM_FEATURES.items()),
    *(Tensor(tiled(name), dtype) for name, dtype in (USER_FEATURES | CONTEXT_FEATURES).items()),
)
_RETRIEVAL = (
    Tensor("user_embedding", FP32, (EMBEDDING_DIM,)),
    Tensor("candidates", INT64, (RETRIEVED,)),
    Tensor("candidate_scores", FP32, (RETRIEVED,)),
    Tensor("candidate_sources", INT32, (RETRIEVED,)),
    Tensor("retrieval_flags", INT32),
    Tensor("items", INT64, (RANKED,)),
    Tensor("retrieval_scores", FP32, (RANKED,)),
    Tensor("item_sources", INT32, (RANKED,)),
    Tensor("filter_flags", INT32),
)
_ITEM = (
    Tensor("item_id", INT64, (RANKED,)),
    Tensor("price", FP32, (RANKED,)),
    Tensor("category_l1", INT64, (RANKED,)),
    Tensor("category_l2", INT64, (RANKED,)),
    Tensor("item_gender", INT64, (RANKED,)),
    Tensor(ITEM_POPULARITY, FP32, (RANKED,)),
    Tensor("item_flags", INT32),
    *(Tensor(name, FP32, (RANKED, EMBEDDING_DIM)) for name in EMBEDDING_FEATURES),
)
_ANSWER = (
    Tensor("click_scores", FP32, (RANKED,)),
    Tensor("ordered_items", INT64, (RETURNED,)),
    Tensor("ordered_scores", FP32, (RETURNED,)),
    Tensor("degraded", INT32),
    Tensor("ordered_ids", INT64, (RETURNED,)),
    Tensor("ordered_sources", INT32, (RETURNED,)),
    Tensor("propensities", FP32, (RETURNED,)),
)

TENSORS: Final[dict[str, Tensor]] = {
    tensor.name: tensor
    for tensor in (*_REQUEST, *_RULES, *_CHOICE, *_CONTEXT, *_USER, *_ENCODED, *_RETRIEVAL, *_ITEM, *_ANSWER)
}
