from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from recsys.release.evaluation_plots import span
from recsys.release.evaluation_report import evaluation_page
from recsys.release.html import number

GAIN = {"hit@10": 0.3, "hit@100": 0.6, "hit@300": 0.9, "ndcg@10": 0.2, "mrr": 0.1}
ENDS = {name: [value - 0.01, value + 0.01] for name, value in GAIN.items()}
LIST = {
    "setting": 0.5,
    "ndcg@10": 0.2,
    "hit@10": 0.3,
    "diversity": 0.6,
    "categories": 4.0,
    "coverage": 0.5,
    "gini": 0.7,
}
DOCUMENT = {
    "rows": 40_000,
    "chain": GAIN,
    "retrieval": GAIN,
    "baselines": {"popularity": GAIN, "<als>": GAIN | {"hit@10": 0.25}},
    "anonymous": {"chain": GAIN, "retrieval": GAIN, "rows": 10, "bound": {"hit@10": 0.115}},
    "visitors": {
        "2 clicks": {
            "rows": 5,
            "chain": GAIN,
            "popularity": GAIN,
            "interval": ENDS,
            "over_popularity": 1.234,
        }
    },
    "ranker": {"auc": 0.9, "negatives": "in-batch"},
    "unseen": {"rows": 77, "chain": GAIN, "retrieval": GAIN, "baselines": {"popularity": GAIN}},
    "intervals": {"chain": ENDS, "anonymous": ENDS},
    "differences": {"chain - <als>": {name: {"mean": 0.05, "interval": [0.04, 0.06]} for name in GAIN}},
    "segments": {
        "user": {
            "new": {
                "rows": 5,
                "users": 3,
                "chain": GAIN,
                "retrieval": GAIN,
                "interval": {"chain": ENDS, "retrieval": ENDS},
                "baselines": {"popularity": GAIN},
            }
        }
    },
    "exposure": {"chain": {"coverage": 0.5, "gini": 0.7, "head": 0.6, "mean_popularity": 5.0}},
    "calibration": {
        "ece": 0.02,
        "brier": 0.1,
        "log_loss": 0.3,
        "rows": 10,
        "negatives": "uniform",
        "bins": [
            {"predicted": 0.1, "observed": 0.2, "rows": 5},
            {"predicted": 0.8, "observed": 0.7, "rows": 5},
        ],
    },
    "omitted": {"ease": "holds a matrix"},
    "oracle": {"oracle_last_day": GAIN},
    "ordering": {
        "rows": 10,
        "curves": {"MMR": [LIST, LIST | {"setting": 1.0, "ndcg@10": 0.1}]},
        "off_policy": [
            {
                "policy": "p",
                "estimator": "IPS",
                "value": 0.1,
                "interval": [0.0, 0.2],
                "truth": 0.12,
                "effective_rows": 3.0,
            }
        ],
    },
}


class Strict(HTMLParser):
    """Every tag that opens closes in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attributes: list) -> None:
        self.seen.append(tag)
        if tag not in ("meta",):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def parsed(page: str) -> Strict:
    parser = Strict()
    parser.feed(page)
    assert parser.open == []
    return parser


def test_the_page_holds_every_part_and_loads_nothing():
    page = evaluation_page(DOCUMENT)
    parser = parsed(page)
    assert parser.seen.count("svg") >= 5
    for title in (
        "finds the click",
        "paired",
        "nobody knows",
        "at most 0.115",
        "New items",
        "Kinds of rows",
        "is shown",
        "probability",
        "policies",
    ):
        assert title in page
    assert "&lt;als&gt;" in page
    assert "<als>" not in page
    assert "0.300 <small>0.290 – 0.310</small>" in page
    assert not re.search(r"<(script|link|img)|https?://(?!www\.w3\.org/2000/svg)", page)


def test_what_all_missed_has_no_interval_and_the_page_says_what_was_measured():
    none = dict.fromkeys(GAIN, 0.0)
    nowhere = {"chain": {name: [0.0, 0.0] for name in GAIN}, "retrieval": ENDS}
    missed = DOCUMENT["segments"]["user"]["new"] | {"chain": none, "interval": nowhere}
    page = evaluation_page(DOCUMENT | {"segments": {"category": {"books": missed}}}, "release 7")
    parsed(page)
    assert "<h1>Evaluation of release 7</h1>" in page
    assert "<td>books</td><td>5</td><td>0.000</td><td>0.000</td><td>0.900 <small>" in page


def test_what_is_missing_is_left_out():
    page = evaluation_page({"rows": 3, "chain": GAIN, "retrieval": GAIN, "baselines": {}})
    parsed(page)
    assert "Kinds of rows" not in page
    assert "New items" not in page
    assert "policies" not in page


@pytest.mark.parametrize(
    "part", ["intervals", "segments", "exposure", "calibration", "oracle", "ordering", "ranker"]
)
def test_any_part_may_be_missing(part):
    parsed(evaluation_page({name: value for name, value in DOCUMENT.items() if name != part}))


def test_numbers_that_are_none_say_nothing():
    assert number(None) == number(float("nan")) == ""
    assert number(0.5, [float("nan"), 1.0]) == "0.500"
    assert number(0.05, [0.04, 0.06], signed=True) == "+0.050 <small>+0.040 – +0.060</small>"
    assert span(float("nan"), [0, 1], (0, 1)) == ""
