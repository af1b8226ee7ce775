from __future__ import annotations

import json
import re

import pytest

from recsys.capacity.prices import TABLE, load_price
from recsys.errors import BadData, BadUse


def test_every_price_has_a_source_and_a_date() -> None:
    lines = json.loads(TABLE.read_text())["prices"]
    assert len(lines) >= 5
    for name, line in lines.items():
        price = load_price(name)
        assert price.usd > 0
        assert price.source and re.fullmatch(r"20\d\d(-\d\d){0,2}", price.read), name
        assert line["what"]


def test_an_unknown_node_has_no_price() -> None:
    with pytest.raises(BadUse, match="--node-price"):
        load_price("z9.huge")


def test_a_wheel_without_the_table(tmp_path) -> None:
    with pytest.raises(BadUse, match="there is no table"):
        load_price("g5.xlarge", tmp_path / "prices.json")


def test_a_price_without_source_is_refused(tmp_path) -> None:
    path = tmp_path / "prices.json"
    path.write_text('{"prices": {"x": {"usd_per_hour": 1}}}')
    with pytest.raises(BadData, match="source"):
        load_price("x", path)
