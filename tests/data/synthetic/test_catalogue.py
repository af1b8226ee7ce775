from __future__ import annotations

import numpy as np
import pytest

from recsys.data.synthetic.assortment import COLOURS, DEPARTMENTS, STYLES
from recsys.data.synthetic.catalogue import make_catalogue
from recsys.data.synthetic.kinds import KINDS


def test_the_assortment_refers_to_what_there_is():
    names = [kind.name for kind in KINDS]
    assert len(set(names)) == len(names)
    assert {kind.department for kind in KINDS} == {department.name for department in DEPARTMENTS}
    assert {kind.accessory for kind in KINDS} <= set(names)
    assert all(kind.accessory != kind.name for kind in KINDS)
    assert {colour for style in STYLES for colour in style.colours} == set(COLOURS)


@pytest.mark.parametrize("items", [2, 66, 67, 500])
def test_members_and_slots_find_each_other(items):
    catalogue = make_catalogue(items, 1)
    places = np.arange(items)
    assert (catalogue.members[catalogue.kind, catalogue.slot] == places).all()
    assert (catalogue.members >= 0).sum() == items
    sizes = (catalogue.members >= 0).sum(axis=1)
    assert sizes.max() - sizes.min() <= 1  # every kind has its share


def test_titles_tell_products_apart_and_say_what_they_are():
    frame = make_catalogue(700, 7).frame
    assert frame["title"].nunique() > 0.95 * len(frame)
    by_kind = {kind.name: kind for kind in KINDS}
    for title, kind in zip(frame["title"], frame["category_l2_name"], strict=True):
        assert any(noun in title for noun in by_kind[kind].nouns), title


def test_descriptions_have_several_sentences():
    texts = make_catalogue(200, 7).descriptions["product_description"]
    assert all(text.count(". ") >= 3 and text.endswith(".") and "{" not in text for text in texts)


def test_prices_keep_to_their_kind():
    catalogue = make_catalogue(500, 2)
    low, high = np.array([KINDS[k].prices for k in catalogue.kind]).T
    price = catalogue.frame["price"].to_numpy()
    assert (price >= low - 1).all()
    assert (price <= high + 1).all()


def test_gender_follows_the_kind():
    catalogue = make_catalogue(700, 2)
    for kind, gender in zip(catalogue.kind, catalogue.gender, strict=True):
        whom = KINDS[kind].gender
        assert whom == "mixed" or gender == {"F": 0, "M": 1, "any": 2}[whom]
