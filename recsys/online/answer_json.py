"""A plain answer as JSON, written without making an object of each item.

An item's card is the same in every answer of a release, so it is written out once. An answer that explains
itself goes the usual way, through the models of `recsys.online.api`; both say the same.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

from recsys.online.catalogue import Catalogue
from recsys.online.recommender import Answer


def written(answer: Answer, request_id: str, user_id: int | None) -> bytes:
    """An answer as `api.Recommendations` would be serialised.

    Args:
        answer: What was found.
        request_id: Of the request.
        user_id: Who was asked for; None for an anonymous visitor.
    """
    catalogue = answer.catalogue
    head = {
        "request_id": request_id,
        "user_id": user_id,
        "release": None if catalogue is None else catalogue.release,
        "degraded": int(answer.degraded),
        "fallbacks": [str(rung.name).lower() for rung in answer.degraded],
    }
    items = []
    if catalogue is not None:
        chances: Sequence[float | None] = answer.propensities or [None] * len(answer.indexes)
        for index, score, chance in zip(answer.indexes, answer.scores, chances, strict=True):
            # JSON knows no infinity.
            number = repr(float(score)) if math.isfinite(score) else "null"
            likely = "null" if chance is None else repr(chance)
            unexplained = f'"source":null,"candidate_of":null,"propensity":{likely}'
            items.append(f'{_card(catalogue, index)},"score":{number},{unexplained}}}')
    start = json.dumps(head, separators=(",", ":"))[:-1]
    return f'{start},"items":[{",".join(items)}],"timings_ms":null}}'.encode()


def _card(catalogue: Catalogue, index: int) -> str:
    """The beginning of an item's object; kept with its catalogue, so at most once an item."""
    cards: dict[int, str] = catalogue.__dict__.setdefault("_cards", {})
    found = cards.get(index)
    if found is None:
        card = catalogue.card(index)
        ordered = {name: card[name] for name in _ORDER}
        found = cards[index] = json.dumps(ordered, ensure_ascii=False, separators=(",", ":"))[:-1]
    return found


_ORDER = (
    "item_id",
    "sku",
    "title",
    "category_l1",
    "category_l1_name",
    "category_l2",
    "category_l2_name",
    "price",
)
