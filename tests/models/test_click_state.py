from __future__ import annotations

import numpy as np
import tensorflow as tf

from recsys.models.click_state import ClickState


def _state(clicks: list[list[int]], items: int = 9) -> ClickState:
    return ClickState(np.eye(items, 64, dtype=np.float32), np.array(clicks, np.int32))


def test_newer_clicks_come_first_and_the_oldest_fall_out():
    newer = tf.constant([[7, 8, 9], [9, 9, 9], [5, 9, 9]], tf.int32)
    found = _state([[1, 2, 3], [1, 9, 9], [2, 3, 9]]).extended(newer)
    assert found.tolist() == [[7, 8, 1], [1, 9, 9], [5, 2, 3]]


def test_equal_states_are_equal_bytes_and_read_back(tmp_path):
    state = _state([[1, 9], [3, 4]])
    files = []
    for name in ("one", "two"):
        state.save(tmp_path / name)
        files.append((tmp_path / name / "training" / "click_history.npz").read_bytes())
    assert files[0] == files[1]
    read = ClickState.load(tmp_path / "one")
    assert read is not None
    np.testing.assert_array_equal(read.vectors, state.vectors)
    np.testing.assert_array_equal(read.clicks, state.clicks)


def test_a_release_without_histories_has_no_state(tmp_path):
    assert ClickState.load(tmp_path) is None


def test_the_export_keeps_what_the_user_embeddings_were_completed_with(tower, towers_dir):
    kept = ClickState.load(towers_dir)
    assert kept is not None
    np.testing.assert_array_equal(kept.clicks, tower.clicks.clicks)
    np.testing.assert_allclose(kept.vectors, tower.clicks.vectors())
