from __future__ import annotations

import numpy as np
import tensorflow as tf

from recsys.models.examples import Examples
from recsys.models.history import first_match, newest_clicks


def examples(user: list[int], item: list[int], timestamp: list[int]) -> Examples:
    return Examples(
        {"user_id": np.array(user, np.int64)[:, None]},
        np.array(item, np.int64),
        np.ones(len(item), np.float32),
        np.array(timestamp, np.int64),
    )


def test_newest_clicks_come_first_and_older_ones_fall_out():
    found = newest_clicks(examples([3, 4, 3, 3], [7, 8, 5, 6], [10, 10, 30, 20]), 5, 2, 9).numpy()
    assert found[3].tolist() == [5, 6]
    assert found[4].tolist() == [8, 9]


def test_unknown_users_have_no_history():
    found = newest_clicks(examples([0, 1, 2], [7, 8, 5], [1, 2, 3]), 4, 2, 9).numpy()
    assert (found == 9).all()


def test_only_one_of_equal_clicks_is_left_out():
    clicks = tf.constant([[4, 7, 4], [1, 2, 3]], tf.int32)
    own = tf.constant([4, 9], tf.int64)
    assert first_match(clicks, own).numpy().tolist() == [[True, False, False], [False] * 3]
