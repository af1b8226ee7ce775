from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.data.masking import mask_cold_start
from recsys.settings import TrainingSettings

MEAN_AGE = 36.5


def _rows(n: int = 20_000) -> pd.DataFrame:
    draw = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "user_id": draw.integers(0, 1000, n),
            "item_id": draw.integers(0, 300, n),
            "timestamp": 1754006400 + np.arange(n),
            "device_type": draw.integers(0, 3, n),
            "age": draw.integers(18, 80, n),
            "gender": draw.integers(0, 2, n),
            "top_category": draw.integers(-1, 20, n),
            "price": 9.5,
        }
    )


def test_shares_and_what_is_hidden():
    frame = _rows()
    out = mask_cold_start(frame, MEAN_AGE, 42, TrainingSettings())
    user, device = out["user_id"] == -1, out["device_type"] == -1
    # 20,000 draws at 5 %: 4 standard deviations are 0.6 points
    assert user.mean() == pytest.approx(0.05, abs=0.0062)
    assert device.mean() == pytest.approx(0.05, abs=0.0062)
    assert not (user & device).any()
    assert (out.loc[user, ["gender", "top_category"]] == -1).all(axis=None)
    assert (out.loc[user, "age"] == MEAN_AGE).all()
    untouched = out.loc[~user & ~device].astype(frame.dtypes.to_dict())
    assert untouched.equals(frame.loc[~user & ~device])
    assert out["price"].equals(frame["price"])


def test_the_input_is_left_alone():
    frame = _rows(500)
    before = frame.copy()
    mask_cold_start(frame, MEAN_AGE, 42, TrainingSettings())
    assert frame.equals(before)


@given(st.integers(0, 2**32), st.randoms(use_true_random=False))
def test_the_order_and_the_company_of_rows_do_not_matter(seed, random):
    frame = _rows(60)
    settings = TrainingSettings(mask_user_share=0.3, mask_device_share=0.3)
    whole = mask_cold_start(frame, MEAN_AGE, seed, settings)
    places = random.sample(range(60), 40)
    part = mask_cold_start(frame.iloc[places], MEAN_AGE, seed, settings)
    assert part.equals(whole.iloc[places])


def test_the_seed_decides():
    frame = _rows(2000)
    first, again, other = (mask_cold_start(frame, MEAN_AGE, s, TrainingSettings()) for s in (1, 1, 2))
    assert first.equals(again)
    assert not first.equals(other)


@pytest.mark.parametrize(("user", "device", "expected"), [(1, 0, (1, 0)), (0, 1, (0, 1)), (0, 0, (0, 0))])
def test_extreme_shares(user, device, expected):
    out = mask_cold_start(
        _rows(100), MEAN_AGE, 3, TrainingSettings(mask_user_share=user, mask_device_share=device)
    )
    assert ((out["user_id"] == -1).mean(), (out["device_type"] == -1).mean()) == expected
