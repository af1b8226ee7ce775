"""The short way to JSON says what the models say."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recsys.online import api
from recsys.online.answer_json import written
from recsys.online.catalogue import Catalogue
from recsys.online.recommender import Answer
from recsys.schema import Degraded

TITLES = ["Zoë's “boots”", None, 'a\\b"c', "  ", "ünï"]


def catalogue(texts: dict[str, list[str | None]]) -> Catalogue:
    numbers = np.arange(5)
    ids = np.array([10, -3, 2**62, 7, 0])
    return Catalogue(
        4, ids, numbers, numbers + 9, np.float32([1.5, 0, 3.33, 1e9, 7]), None, np.ones(5), texts
    )


@given(
    indexes=st.lists(st.integers(0, 4), unique=True),
    user=st.none() | st.integers(-(2**63), 2**63 - 1),
    degraded=st.integers(0, 255),
    explored=st.booleans(),
    named=st.booleans(),
    data=st.data(),
)
def test_both_ways_say_the_same(
    indexes: list[int], user: int | None, degraded: int, *, explored: bool, named: bool, data: st.DataObject
) -> None:
    floats = st.floats(-1e6, 1e6)
    scores = data.draw(st.lists(floats, min_size=len(indexes), max_size=len(indexes)))
    shop = catalogue({"title": TITLES, "category_l1_name": ["x"] * 5} if named else {})
    chances = [1 / (3 + at) for at in indexes] if explored else []
    answer = Answer(shop, indexes, scores, ["ensemble"] * len(indexes), degraded=Degraded(degraded))
    answer = replace(answer, propensities=chances)
    model = api.Recommendations(
        request_id="r",
        user_id=user,
        release=4,
        degraded=degraded,
        fallbacks=[str(rung.name).lower() for rung in Degraded(degraded)],
        items=[
            api.RecommendedItem(**shop.card(index), score=score, propensity=chance)
            for index, score, chance in zip(indexes, scores, chances or [None] * len(indexes), strict=True)
        ],
        timings_ms=None,
    )
    plain = written(answer, "r", user)
    assert api.Recommendations.model_validate_json(plain) == model
    assert list(json.loads(plain)) == list(json.loads(model.model_dump_json()))
    for _ in range(2):  # from memory the second time
        assert json.loads(written(answer, "r", user)) == json.loads(model.model_dump_json())


def test_without_a_release_there_is_nothing_to_show() -> None:
    found = json.loads(written(Answer(None, degraded=Degraded.POPULAR), "r", None))
    assert (found["release"], found["items"], found["fallbacks"]) == (None, [], ["popular"])


def test_what_is_no_number_is_null() -> None:
    plain = written(Answer(catalogue({}), [0], [float("-inf")], ["popular"]), "r", 1)
    assert json.loads(plain)["items"][0]["score"] is None
