from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from recsys.release.evaluation_plots import _axis

SHARES = st.lists(st.floats(0, 1), min_size=1, max_size=5)


@given(SHARES)
def test_an_axis_of_shares_holds_them_and_ends_at_one(values: list[float]) -> None:
    axis = _axis("share", values)
    assert -1e-9 <= axis.low <= min(values) + 1e-9
    assert max(values) <= axis.high + 1e-9
    assert axis.high <= 1 + 1e-9


def test_what_is_no_share_may_go_beyond() -> None:
    assert _axis("categories", [1.9, 5.5]).high > 5.5
