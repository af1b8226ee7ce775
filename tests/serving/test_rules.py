"""Rules as masks: the same items as the gateway's own rules allow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from factories.inputs import left_out
from hypothesis import given
from hypothesis import strategies as st

from recsys import schema
from recsys.errors import BadData
from recsys.online.catalogue import Catalogue as Shown
from recsys.online.question import Question, columns
from recsys.online.rules import Rules
from recsys.serving.catalogue import Catalogue
from recsys.serving.graph import RULE_INPUTS
from recsys.serving.rules import RuleTable

ITEMS = 24
IDS = np.arange(ITEMS) * 7 - 21
L1, L2, STOCK = np.arange(ITEMS) % 4, np.arange(ITEMS) % 6, np.arange(ITEMS) % 5
NAMES = [f"Main {code}" for code in L1], [f"Sub {code % 3}" for code in L2]
SHOWN = Shown(
    1,
    IDS,
    L1,
    L2,
    np.ones(ITEMS, np.float32),
    STOCK,
    np.ones(ITEMS, np.float32),
    {"category_l1_name": list(NAMES[0]), "category_l2_name": list(NAMES[1])},
)
TABLE = RuleTable(Catalogue(IDS), L1, L2, STOCK > 0)

RULES = st.builds(
    Rules,
    category=st.none() | st.integers(0, 5) | st.sampled_from(["main 1", "SUB 2", "sub 0"]),
    in_stock_only=st.booleans(),
    exclude=st.lists(st.sampled_from([*IDS.tolist(), 10**9]), max_size=10).map(tuple),
)


@given(st.lists(RULES, min_size=1, max_size=6))
def test_the_ensemble_and_the_gateway_allow_the_same(rules: list[Rules]) -> None:
    asked = [Question(user, **each.asked_for(SHOWN)) for user, each in enumerate(rules)]
    inputs = left_out(RULE_INPUTS, len(rules)) | columns(asked)
    masks = TABLE.masks(inputs)
    for row, each in enumerate(rules):
        allowed = each.allowed(SHOWN)
        if allowed is None:
            assert row not in masks
        else:
            assert np.array_equal(masks[row], allowed)


@pytest.mark.parametrize("category", [-1, -5, "no such name"])
def test_a_category_that_nothing_is_of_is_left_to_the_gateway(category: int | str) -> None:
    rules = Rules(category=category)
    question = Question(1, **rules.asked_for(SHOWN))
    assert set(columns([question])) == {"user_id"}
    allowed = rules.allowed(SHOWN)
    assert allowed is not None
    assert not allowed.any()


def test_a_shop_that_gives_no_stock_has_all_of_it(release: Path) -> None:
    table = RuleTable.load(release)
    inputs = left_out(RULE_INPUTS, 1)
    inputs["in_stock_only"][0] = 1
    assert table.masks(inputs)[0].all()


def stocked(release: Path, folder: Path, ids: np.ndarray) -> Path:
    """A copy of a release with a catalogue that gives stock."""
    for name in (schema.ITEM_IDS_FILE, schema.ITEM_FEATURES_FILE):
        (folder / name).write_bytes((release / name).read_bytes())
    stock = np.arange(len(ids)) % 3
    pd.DataFrame({"item_id": ids, "current_stock": stock}).to_parquet(folder / schema.CATALOGUE_FILE)
    return folder


def test_stock_is_read_from_the_releases_catalogue(release: Path, tmp_path: Path) -> None:
    ids = np.load(release / schema.ITEM_IDS_FILE)
    table = RuleTable.load(stocked(release, tmp_path, ids))
    assert table.in_stock is not None
    assert table.in_stock.tolist() == (np.arange(len(ids)) % 3 > 0).tolist()


def test_a_catalogue_of_another_release_is_refused(release: Path, tmp_path: Path) -> None:
    ids = np.load(release / schema.ITEM_IDS_FILE)
    with pytest.raises(BadData, match="not in the order"):
        RuleTable.load(stocked(release, tmp_path, ids[::-1]))
    (tmp_path / schema.CATALOGUE_FILE).write_bytes(b"nonsense")
    with pytest.raises(BadData, match="cannot be read"):
        RuleTable.load(tmp_path)
