from __future__ import annotations

import pytest

from recsys.cli.release_trial import parse_share
from recsys.errors import BadUse


@pytest.mark.parametrize(("text", "share"), [("10%", 0.1), ("0.05", 0.05), ("0", 0.0), ("100%", 1.0)])
def test_shares(text: str, share: float) -> None:
    assert parse_share(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["ten", "101%", "-1%", "2", "%"])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(BadUse, match="Write 10% or"):
        parse_share(text)


def test_a_release_cannot_be_tried_where_nothing_runs(run, home) -> None:
    outcome = run("release", "promote", "1", "--shadow", "lots")
    assert outcome.code == 2
    assert outcome.err.startswith("recsys: share 'lots': not a number")
