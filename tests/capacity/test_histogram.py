from __future__ import annotations

import numpy as np
import pytest

from recsys.capacity.histogram import Histogram


def test_quantiles_within_one_percent() -> None:
    rng = np.random.default_rng(0)
    values = rng.lognormal(-4, 1, 50_000)
    histogram = Histogram(2)
    histogram.add(0, values[:10_000])
    histogram.add(1, values[10_000:])
    for part in (0.5, 0.95, 0.99):
        assert histogram.quantile_s(part) == pytest.approx(np.quantile(values, part), rel=0.011)
        assert histogram.quantiles_s(part)[0] == pytest.approx(np.quantile(values[:10_000], part), rel=0.011)


def test_nothing_counted_has_no_quantile() -> None:
    assert np.isnan(Histogram(1).quantile_s(0.5))
