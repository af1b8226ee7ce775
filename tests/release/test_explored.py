from __future__ import annotations

import pytest

from recsys.errors import BadData
from recsys.models.policy import COLUMNS, read_log
from recsys.online.exposures import Exposure
from recsys.release.explored import policy_log

SHOWN = [
    Exposure(1, 4, 10_000, (7, 8), (0.25, 0.5), 2),
    Exposure(2, 4, 20_500, (8, 7), (0.75, 1.0)),
    Exposure(3, 4, 30_000, (9,), ()),  # not explored
    Exposure(4, 4, 30_000, (9,), (0.0,)),  # filled up
    Exposure(-1, 4, 30_000, (9,), (0.5,)),  # nobody's
]


def test_the_first_places_with_their_chances_and_what_came_of_them(tmp_path) -> None:
    clicks = {1: [(9_000, 7), (11_000, 7)], 2: [(21_000, 7), (20_500 + 1_800_001, 8)]}
    log = policy_log(SHOWN, clicks)
    assert tuple(log.columns) == COLUMNS
    assert log.to_numpy().tolist() == [[1, 7, 10, 2, 0.25, 1], [2, 8, 20, -1, 0.75, 0]]
    log.to_parquet(tmp_path / "log.parquet")
    assert len(read_log(tmp_path / "log.parquet")) == 2


def test_a_log_of_nothing_is_refused() -> None:
    with pytest.raises(BadData, match="no answer explored"):
        policy_log(SHOWN[2:], {})
