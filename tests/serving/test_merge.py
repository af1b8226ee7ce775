"""Candidates of several sources: each once, with all its sources, the nearest not driven out."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recsys.schema import NO_ITEM, Source
from recsys.serving.merge import Candidates, merge

WIDTH, NAMED = 8, 3
BITS = np.array([Source.POPULAR, Source.CATEGORY, Source.TRENDING], np.int32)


@given(st.data())
def test_whatever_is_named(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 14))
    count = data.draw(st.integers(0, min(WIDTH, size)))
    order = data.draw(st.permutations(range(size)))
    worth = np.sort(np.array(data.draw(st.lists(st.floats(-5, 5), min_size=size, max_size=size))))[::-1]
    score = np.empty(size)
    score[list(order)] = worth
    found = [*order[:count], *[NO_ITEM] * (WIDTH - count)]
    named = data.draw(st.lists(st.integers(-1, size - 1), min_size=NAMED, max_size=NAMED))
    scores = np.array([[score[item] if item >= 0 else -np.inf for item in named]], np.float32)
    known = [score[item] if item >= 0 else -np.inf for item in found]
    before = Candidates.of(np.array([found]), np.array([known], np.float32), Source.RETRIEVAL)
    merged = merge(before, np.array([named]), BITS, scores)

    items = merged.items[0].tolist()
    there = [item for item in items if item != NO_ITEM]
    assert merged.items.shape == (1, WIDTH)
    assert len(set(there)) == len(there)
    assert {item for item in named if item != NO_ITEM} <= set(there)
    assert found[: WIDTH - NAMED] == items[: WIDTH - NAMED]
    new = {item for item in named if item != NO_ITEM and item not in found[: WIDTH - NAMED]}
    kept = [item for item in found[WIDTH - NAMED :] if item != NO_ITEM and item not in new]
    assert set(there) == {*found[: WIDTH - NAMED], *new, *kept[: NAMED - len(new)]} - {NO_ITEM}
    for place, item in enumerate(items):
        bits = int(Source.RETRIEVAL) if item in found and item != NO_ITEM else 0
        for name, bit in zip(named, BITS.tolist(), strict=True):
            bits |= bit if name == item != NO_ITEM else 0
        assert merged.sources[0, place] == bits
        assert merged.scores[0, place] == (np.float32(score[item]) if item >= 0 else -np.inf)


def test_rows_are_merged_each_by_itself_and_the_input_is_left_alone() -> None:
    items = np.array([[4, 3, 2, 1], [1, 2, 3, 4]])
    before = Candidates.of(items, np.full(items.shape, 1, np.float32), Source.RETRIEVAL)
    named = np.array([[9, NO_ITEM], [2, 7]])
    scores = np.array([[0.5, -np.inf], [1, 0.25]], np.float32)
    merged = merge(before, named, BITS[:2], scores)
    assert merged.items.tolist() == [[4, 3, 2, 9], [1, 2, 3, 7]]
    assert merged.sources.tolist() == [[1, 1, 1, 2], [1, 3, 1, 4]]
    assert before.items.tolist() == items.tolist()
    assert (before.sources == 1).all()
