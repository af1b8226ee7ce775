"""Tensors that stay in the process come back as they were put, however requests meet and part."""

from __future__ import annotations

import numpy as np
import pytest
from google.protobuf import text_format
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tritonclient.grpc import model_config_pb2

from recsys.errors import RecsysError
from recsys.serving.embedded.relay import NOTHING, Outcome, References, Relay, RelayedStage
from recsys.serving.graph import ENSEMBLE_INPUTS, ENSEMBLE_OUTPUTS, MODELS, PROPENSITIES, Model, model
from recsys.serving.render import model_config
from recsys.serving.stage import Arrays
from recsys.serving.tensors import TENSORS
from recsys.serving.wires import ports
from recsys.settings import ServingSettings

SETTINGS = ServingSettings(stages="embedded", retrieved=9, ranked=7, returned=5)


def references(each: Model) -> References:
    """As a model reads them from the config that Triton hands it."""
    config = text_format.Parse(model_config(each, SETTINGS, "r"), model_config_pb2.ModelConfig())
    return References.of(each, {key: value.string_value for key, value in config.parameters.items()})


class Echo:
    """A stage that makes what it is told, and remembers what it read."""

    def __init__(self, outputs: Arrays) -> None:
        self.outputs, self.read = outputs, {}

    def run(self, inputs: Arrays) -> Arrays:
        self.read = inputs
        return dict(self.outputs)


@hypothesis_settings(deadline=None)
@given(sizes=st.lists(st.integers(1, 3), min_size=1, max_size=4), data=st.data())
def test_rows_come_back_in_the_order_of_their_references(sizes: list[int], data: st.DataObject) -> None:
    relay, total = Relay(), sum(sizes)
    tensors = np.arange(total * 2).reshape(total, 2)
    ends = np.cumsum(sizes)
    made = [
        relay.put({"t": tensors[end - size : end]}, size, 2) for size, end in zip(sizes, ends, strict=True)
    ]
    order = data.draw(st.permutations(range(total)))
    asked = np.concatenate(made)[order]
    assert np.array_equal(relay.look(asked, {"port": "t"})["port"], tensors[order])
    relay.done(asked)
    assert len(relay) == len(sizes)  # the other reader has still to come
    relay.done(asked)
    assert len(relay) == 0
    with pytest.raises(RecsysError, match="not kept any more"):
        relay.look(asked, {"port": "t"})


def test_rows_that_stayed_together_are_not_copied() -> None:
    relay, tensors = Relay(), np.zeros((3, 4))
    asked = relay.put({"t": tensors}, 3, 1)
    assert relay.look(asked, {"port": "t"})["port"] is tensors
    assert np.shares_memory(relay.look(asked[1:], {"port": "t"})["port"], tensors)


def test_what_nobody_comes_for_is_dropped_after_a_while() -> None:
    now = [0.0]
    relay = Relay(clock=lambda: now[0])
    relay.put({}, 1, 1)
    for now[0] in (29.0, 31.0, 32.0):
        relay.put({}, 1, 1)
    assert len(relay) == 3


@hypothesis_settings(max_examples=25, deadline=None)
@given(rows=st.integers(1, 4), seed=st.integers(0, 2**32 - 1))
def test_every_tensor_reaches_its_readers_and_none_is_left(rows: int, seed: int) -> None:
    rng, relay = np.random.default_rng(seed), Relay()
    made = {
        name: rng.integers(0, 99, (rows, *tensor.dims(SETTINGS))).astype(tensor.dtype)
        for name, tensor in TENSORS.items()
    }
    sent = {name: made[name] for name in ENSEMBLE_INPUTS}
    for each in MODELS:
        stage = Echo({port: made[name] for port, name in each.outputs.items()})
        inputs = {port: sent[wire.name] for port, wire in ports(each.inputs, SETTINGS).items()}
        ((count, outcome),) = RelayedStage(each, stage, references(each), relay).answer(inputs, [1] * rows)
        assert count == rows
        assert stage.read.keys() == each.inputs.keys()
        assert all(np.array_equal(stage.read[port], made[name]) for port, name in each.inputs.items())
        for port, wire in ports(each.outputs, SETTINGS).items():
            assert outcome[port].shape == (rows, *wire.dims(SETTINGS))
            assert outcome[port].dtype == wire.dtype
            sent[wire.name] = outcome[port]
    assert all(np.array_equal(sent[name], made[name]) for name in (*ENSEMBLE_OUTPUTS, PROPENSITIES))
    assert len(relay) == 0


def answered(inputs: Arrays, requests: list[int], relay: Relay) -> tuple[Echo, list[tuple[int, Outcome]]]:
    each = model("item_id_decoder")
    stage = Echo({"ordered_ids": np.ones((sum(requests), 5), np.int64)})
    return stage, RelayedStage(each, stage, references(each), relay).answer(inputs, requests)


def test_nothing_stands_for_zeros_when_triton_warms_a_model_up() -> None:
    stage, ((count, _),) = answered({"softmax_sampling_tensors": np.full((2, 1), NOTHING)}, [2], Relay())
    assert count == 1
    assert stage.read["ordered_items"].tolist() == [[0] * 5] * 2


def test_a_reference_to_what_is_gone_fails_its_own_request_alone() -> None:
    relay = Relay()
    good = relay.put({"ordered_items": np.zeros((1, 5), np.int64)}, 1, 1)
    asked = np.concatenate([good, good + (5 << 20)])
    _, ((first, fine), (second, bad)) = answered({"softmax_sampling_tensors": asked}, [1, 1], relay)
    assert (first, second) == (1, 1)
    assert not isinstance(fine, str)
    assert "not kept any more" in str(bad)


def test_an_optional_input_that_nobody_gives_is_its_default() -> None:
    each = model("context_preprocessor")
    stage = Echo({port: np.zeros((2, 1), TENSORS[name].dtype) for port, name in each.outputs.items()})
    RelayedStage(each, stage, references(each), Relay()).answer({"user_id": np.zeros((2, 1))}, [1, 1])
    assert stage.read["device_type"].tolist() == [[-1], [-1]]
