"""What is kept of items is what would be computed anew."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from factories.dlrm import CODES, make_dlrm
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys import schema
from recsys.release.dlrm_broadcast import write_broadcast
from recsys.serving.item_parts import ItemParts
from recsys.serving.onnx_model import OnnxModel

KNOWN = (*schema.ITEM_FEATURES, *schema.EMBEDDING_FEATURES)
VECTORS = np.random.default_rng(0).normal(size=(CODES["item_id"], 64)).astype(np.float32)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> OnnxModel:
    folder = tmp_path_factory.mktemp("ranker")
    make_dlrm(folder / schema.DLRM_ONNX, towers=True)
    write_broadcast(folder)
    return OnnxModel(folder / schema.DLRM_ITEMS_ONNX, "item_part", KNOWN)


def candidates(codes: np.ndarray, prices: np.ndarray) -> dict[str, np.ndarray]:
    inputs = {name: codes % CODES[name] for name in schema.ITEM_FEATURES if name != "price"}
    embeddings = dict.fromkeys(schema.EMBEDDING_FEATURES, VECTORS[codes])
    return inputs | embeddings | {"item_id": codes, "price": prices.astype(np.float32)}


@settings(max_examples=40, deadline=None)
@given(data=st.data(), most=st.sampled_from([4, 16, 1_000]))
def test_every_look_up_is_what_would_be_computed(model: OnnxModel, data: st.DataObject, most: int) -> None:
    parts = ItemParts(model, most)
    for _ in range(4):
        seed = data.draw(st.integers(0, 10**6))
        rng = np.random.default_rng(seed)
        shape = (data.draw(st.integers(1, 3)), data.draw(st.integers(1, 40)))
        inputs = candidates(rng.integers(0, CODES["item_id"], shape), rng.integers(0, 2, shape))
        flat = {name: inputs[name].reshape(np.prod(shape), -1) for name in KNOWN}
        np.testing.assert_allclose(parts.of(inputs).reshape(np.prod(shape), -1), model.run(flat), atol=1e-5)


def test_a_known_item_is_not_computed_again_and_a_changed_one_is(model: OnnxModel) -> None:
    parts, codes = ItemParts(model), np.arange(3, 23)[None]
    prices = np.ones((1, 20))
    parts.of(candidates(codes, prices))
    assert parts.computed == 20
    parts.of(candidates(codes[:, ::-1], prices))
    assert parts.computed == 20
    prices[0, 4] = 2.0
    parts.of(candidates(codes, prices))
    assert parts.computed == 21
    parts.of(candidates(codes, prices))
    assert parts.computed == 21


def test_what_stands_for_no_known_item_is_never_kept(model: OnnxModel) -> None:
    parts = ItemParts(model)
    for _ in range(2):
        parts.of(candidates(np.array([[0, 1, 2, 3]]), np.ones((1, 4))))
    assert parts.computed == 4 + 3


class _Interrupted:
    """A model in whose first run another thread asks for other items."""

    def __init__(self, model: OnnxModel) -> None:
        self.inputs = model.inputs
        self._model = model
        self.meanwhile: threading.Thread | None = None

    def run(self, columns: dict[str, np.ndarray]) -> np.ndarray:
        other, self.meanwhile = self.meanwhile, None
        if other is not None:
            other.start()
            other.join(0.3)  # it is done by then, unless it has to wait for this one
        return self._model.run(columns)


def test_threads_that_meet_at_the_start_do_not_clear_each_other_s_items(model: OnnxModel) -> None:
    some, others = (candidates(np.arange(at, at + 10)[None], np.ones((1, 10))) for at in (3, 13))
    interrupted = _Interrupted(model)
    parts = ItemParts(interrupted)
    other = threading.Thread(target=parts.of, args=(others,))
    interrupted.meanwhile = other
    parts.of(some)
    other.join()
    for inputs in (some, others):
        flat = {name: inputs[name].reshape(10, -1) for name in KNOWN}
        np.testing.assert_allclose(parts.of(inputs)[0], model.run(flat), atol=1e-5)
