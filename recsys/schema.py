"""Every column, dtype, sentinel, tensor width and file name of the project, once.

Nothing here imports more than NumPy, so serving processes can use it.
"""

from __future__ import annotations

from enum import IntFlag
from typing import Final

import numpy as np

# --- sentinels -----------------------------------------------------------------------------

UNKNOWN: Final = -1
"""A masked or missing id, gender, top category or device."""

NO_ITEM: Final = -1
"""A missing candidate: masked all the way through, never an answer."""

# --- raw tables (dtypes after validation) --------------------------------------------------

ITEMS_FILE: Final = "items.parquet"
DESCRIPTIONS_FILE: Final = "item_descriptions.parquet"
USERS_FILE: Final = "users.parquet"
DAY_FILE: Final = "day_{day:02d}.parquet"
IMAGES_DIR: Final = "item_images"
META_FILE: Final = "meta.json"
QUARANTINE_FILE: Final = "quarantine.parquet"
VALIDATION_FILE: Final = "validation.json"
SPLIT_FILE: Final = "split.json"  # of a clean copy: {"train": [days], "valid": [days]}

ITEM_COLUMNS: Final[dict[str, np.dtype]] = {
    "item_id": np.dtype("int64"),
    "price": np.dtype("float32"),
    "category_l1": np.dtype("int64"),
    "category_l2": np.dtype("int64"),
    "item_gender": np.dtype("int64"),
}
ITEM_OPTIONAL_COLUMNS: Final[dict[str, np.dtype]] = {
    "sku": np.dtype("O"),
    "title": np.dtype("O"),
    "category_l1_name": np.dtype("O"),
    "category_l2_name": np.dtype("O"),
    "current_stock": np.dtype("int64"),
}
DESCRIPTION_COLUMNS: Final[dict[str, np.dtype]] = {
    "item_id": np.dtype("int64"),
    "product_description": np.dtype("O"),
}
USER_COLUMNS: Final[dict[str, np.dtype]] = {
    "user_id": np.dtype("int64"),
    "age": np.dtype("int64"),
    "gender": np.dtype("int64"),
}
DAY_COLUMNS: Final[dict[str, np.dtype]] = {
    "user_id": np.dtype("int64"),
    "item_id": np.dtype("int64"),
    "timestamp": np.dtype("int64"),  # unix seconds, UTC
    "device_type": np.dtype("int64"),
}
DAY_OPTIONAL_COLUMNS: Final[dict[str, np.dtype]] = {
    "event_type": np.dtype("O"),
    "click": np.dtype("int8"),  # 1 clicked, 0 exposed and not clicked; absent: all clicked
}

DEVICES: Final = {"mobile": 0, "desktop": 1, "tablet": 2}

TRAIN_DAYS: Final = range(0, 9)
VALID_DAYS: Final = range(9, 12)

# --- features ------------------------------------------------------------------------------

AGE_BOUNDARIES: Final = (18, 25, 35, 50, 65)
TOP_CATEGORY_WINDOW_S: Final = 24 * 3600
RECENT_CLICKS: Final = 50
"""Newest items of a user that the session tower reads, each at its last click."""

USER_RAW: Final = ("user_id", "age", "gender", "top_category")
CONTEXT_RAW: Final = ("device_type", "timestamp")
VISITOR: Final = "visitor"
"""Column of training rows: whose clicks come before the row, also where masking hides who the user is."""

EVENT: Final = "event"
"""Column of training rows: how far it went, int8; `UNKNOWN` where the data does not tell."""

HEADS: Final = ("cart", "purchase")
"""What a click may become: outputs of a ranker where the data tells; a purchase is a cart too."""

EVENT_CODES: Final = {"impression": 0, "view": 0, "click": 0, "cart": 1, "purchase": 2}

ITEM_RAW: Final = ("item_id", "price", "category_l1", "category_l2", "item_gender")

# What the fitted workflows put out and the models take in: name -> dtype. Categorify codes are
# int64 (0 padding, 1 null, 2 out of vocabulary, 3.. known), the rest float32.
USER_FEATURES: Final[dict[str, np.dtype]] = {
    "user_id": np.dtype("int64"),
    "gender": np.dtype("int64"),
    "top_category": np.dtype("int64"),
    "age_bucket": np.dtype("int64"),
    "age": np.dtype("float32"),
}
CONTEXT_FEATURES: Final[dict[str, np.dtype]] = {
    "device_type": np.dtype("int64"),
    "hour_sin": np.dtype("float32"),
    "hour_cos": np.dtype("float32"),
    "weekday_sin": np.dtype("float32"),
    "weekday_cos": np.dtype("float32"),
}
ITEM_FEATURES: Final[dict[str, np.dtype]] = {
    "item_id": np.dtype("int64"),
    "category_l1": np.dtype("int64"),
    "category_l2": np.dtype("int64"),
    "item_gender": np.dtype("int64"),
    "price": np.dtype("float32"),
}
# A user's newest clicks, [rows, RECENT_CLICKS], newest first: item indexes, `NO_ITEM` where there are fewer,
# and hours from the click to the request, 0 there.
RECENT_FEATURES: Final[dict[str, np.dtype]] = {
    "recent_items": np.dtype("int64"),
    "recent_ages": np.dtype("float32"),
}
ITEM_POPULARITY: Final = "item_popularity"
"""A ranker's input, float32 [rows, 1]: how popular an item is right now; see `recsys.features.popularity`."""

EMBEDDING_FEATURES: Final = ("image_embedding", "text_embedding")
EMBEDDING_DIM: Final = 64
"""Width of the towers' output and of each multimodal embedding."""

# --- release artefacts ---------------------------------------------------------------------
# "Item index" is an item's row in the release's catalogue, 0..n-1, int64: FAISS, the lookup
# tables and the decoder are keyed by it. The models' item_id input is the Categorify code.

MANIFEST_FILE: Final = "manifest.json"
USER_WORKFLOW: Final = "user_workflow"  # .json + .npz
ITEM_WORKFLOW: Final = "item_workflow"
CONTEXT_WORKFLOW: Final = "context_workflow"
INDEX_FILE: Final = "index.faiss"
INDEX_META_FILE: Final = "index.json"
QUERY_TOWER_ONNX: Final = "query_tower.onnx"
CANDIDATE_TOWER_ONNX: Final = "candidate_tower.onnx"
DLRM_ONNX: Final = "dlrm.onnx"
DLRM_BROADCAST_ONNX: Final = "dlrm_broadcast.onnx"  # the same function over [B] users and [B, K] items
DLRM_ITEMS_ONNX: Final = "dlrm_items.onnx"  # what of it depends on the item alone: `item_part` [rows, width]
DLRM_PAIRS_ONNX: Final = "dlrm_pairs.onnx"  # the rest: users [B, 1] and `item_parts` [B, K, width] -> `score`
ITEM_IDS_FILE: Final = "item_ids.npy"  # int64 [n]
ITEM_FEATURES_FILE: Final = "item_features.npz"  # raw columns of ITEM_RAW, [n] each
IMAGE_EMBEDDINGS_FILE: Final = "image_embeddings.npy"  # float32 [n, 64]
TEXT_EMBEDDINGS_FILE: Final = "text_embeddings.npy"
POPULARITY_FILE: Final = "popularity.npy"  # float32 [n], interactions in the training window
CATALOGUE_FILE: Final = "catalogue.parquet"  # titles, names and sku, for display
DEFAULTS_FILE: Final = "defaults.json"  # {"mean_age": float}

# What a later fine-tuning starts from, beside the SavedModels. Serving never opens these files.
TRAINING_DIR: Final = "training"
FITTED_WORKFLOWS_DIR: Final = "training/workflows"  # NVTabular's own form
RECIPE_FILE: Final = "training/recipe.json"  # the settings that the models were built with
CLICK_HISTORY_FILE: Final = "training/click_history.npz"  # see recsys.models.click_state

# --- serving -------------------------------------------------------------------------------


class Degraded(IntFlag):
    """What of an answer came from a fallback; the ensemble's `degraded` output is their sum."""

    NONE = 0
    USER_FEATURES = 1  # Feast or Valkey did not answer: cold-start features
    SEEN_FILTER = 2  # the seen filter did not answer: nothing was filtered
    ITEM_FEATURES = 4  # item values from the release, not from Feast
    RETRIEVAL = 8  # the tower or the index failed: popular items
    RANKING = 16  # the ranker failed: retrieval's order
    EXHAUSTED = 32  # fewer items than asked for were left after filtering
    PRECOMPUTED = 64  # answered from the batch precompute
    POPULAR = 128  # Triton did not answer: the gateway's own popular list
    INDEX_PART = 256  # a part of the index did not answer: candidates of the others


class Source(IntFlag):
    """Where a candidate came from; the ensemble's `ordered_sources` output is their sum, 0 at pads."""

    NONE = 0
    RETRIEVAL = 1  # near the user embedding
    POPULAR = 2  # popular over all
    CATEGORY = 4  # popular in the user's top category
    TRENDING = 8  # popular within the last hour or so
    FILL = 16  # an unseen popular item, where filtering left too few
