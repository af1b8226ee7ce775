from __future__ import annotations

import numpy as np

from recsys.serving.relevance import chances, logits, softmax


def test_logits_undo_the_ranker_s_softsign():
    logit = np.array([[-3.0, 0.0, 20.0]])
    scores = 0.5 + 0.5 * logit / (1 + np.abs(logit))
    np.testing.assert_allclose(logits(scores), logit)
    assert logits(np.array([-np.inf, 0.5])).tolist() == [-np.inf, 0]


def test_chances_are_those_of_a_softmax_over_what_is_there():
    assert softmax(np.array([[0.0, -np.inf], [-np.inf, -np.inf]])).tolist() == [[1, 0], [0, 0]]
    logit = np.log(np.array([[6.0, 3.0, 1.0]]))
    scores = 0.5 + 0.5 * logit / (1 + np.abs(logit))
    padded = np.concatenate([scores, [[-np.inf]]], axis=1)
    np.testing.assert_allclose(chances(padded), [[0.6, 0.3, 0.1, -np.inf]])
