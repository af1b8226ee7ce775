from __future__ import annotations

import numpy as np
import pytest

from recsys.capacity.curve import DAY_S, SHAPES, load_curve, named_curve
from recsys.errors import BadData, BadUse


@pytest.mark.parametrize("name", SHAPES)
def test_built_in_days(name: str) -> None:
    curve = named_curve(name, 100.0)
    assert curve.length_s == DAY_S
    assert (curve.rps > 0).all()
    assert curve.peak_rps == pytest.approx(300.0 if name == "sale" else 100.0, rel=1e-6)


def test_the_daily_wave_is_quiet_at_night_and_busy_in_the_evening() -> None:
    curve = named_curve("daily", 100.0)
    hours = curve.seconds / 3600
    assert 2 <= hours[np.argmin(curve.rps)] <= 7
    assert 18 <= hours[np.argmax(curve.rps)] <= 22
    assert curve.rps.min() == pytest.approx(20.0)
    assert curve.rps[0] == pytest.approx(curve.rps[-1])  # one day follows another


def test_csv_with_seconds_or_clock_times(tmp_path) -> None:
    path = tmp_path / "day.csv"
    path.write_text("time,rps\n06:00,10\n06:30:30,40\n")
    curve = load_curve(path)
    assert (curve.length_s, curve.peak_rps) == (1830.0, 40.0)
    assert curve.rate(915.0) == pytest.approx(25.0)
    path.write_text("rps,time\n1,0\n2,60\n")
    assert load_curve(path).rate(30) == pytest.approx(1.5)


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1,2\n",
        "time,rps\n0,1\n",
        "time,rps\n0,1\n0,2\n",
        "time,rps\n0,1\n5,-1\n",
        "time,rps\n0,1\nx,2\n",
    ],
)
def test_bad_csv_is_refused_by_name(tmp_path, text: str) -> None:
    path = tmp_path / "day.csv"
    path.write_text(text)
    with pytest.raises(BadData, match=r"day\.csv"):
        load_curve(path)


def test_unknown_name() -> None:
    with pytest.raises(BadUse, match="daily, sale, flat"):
        named_curve("weekly", 1.0)
