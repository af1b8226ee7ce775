"""What `recsys bench reaction` shows."""

from __future__ import annotations

import pytest

from recsys.cli import bench_reaction


def test_trials_are_shown_also_when_none_reacted(capsys: pytest.CaptureFixture[str]) -> None:
    known = {"trials": 10, "reacted": 9, "median_s": 0.15, "share_before": 0.1, "share_after": 0.55}
    new = {"trials": 10, "reacted": 0, "median_s": None, "share_before": 0.2, "share_after": 0.2}
    bench_reaction.show({"release": 3, "known": known, "new": new})
    shown = capsys.readouterr().out
    assert "release 3" in shown
    for word in ("9 of 10", "0.15 s", "55%", "0 of 10", "–"):
        assert word in shown
