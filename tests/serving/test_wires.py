"""What a model puts on the wires is what the next one reads from them."""

from __future__ import annotations

import numpy as np
import pytest
from google.protobuf import text_format
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tritonclient.grpc import model_config_pb2

from recsys.serving.graph import ENSEMBLE_INPUTS, ENSEMBLE_OUTPUTS, MODELS, PROPENSITIES, Model, model
from recsys.serving.render import model_config
from recsys.serving.tensors import TENSORS
from recsys.serving.wires import Packing, ports, wires
from recsys.settings import ServingSettings

SETTINGS = ServingSettings(stages="processes", retrieved=9, ranked=7, returned=5)


def packing(each: Model) -> Packing:
    """As a model's process reads it from the config that Triton hands it."""
    config = text_format.Parse(model_config(each, SETTINGS, "r"), model_config_pb2.ModelConfig())
    return Packing.read({key: value.string_value for key, value in config.parameters.items()})


@hypothesis_settings(max_examples=25, deadline=None)
@given(rows=st.integers(1, 4), seed=st.integers(0, 2**32 - 1))
def test_every_tensor_arrives_as_it_was_made(rows: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    made = {
        name: rng.integers(0, 99, (rows, *tensor.dims(SETTINGS))).astype(tensor.dtype)
        for name, tensor in TENSORS.items()
    }
    sent = {name: made[name] for name in ENSEMBLE_INPUTS}
    for each in MODELS:
        inputs = {port: sent[wire.name] for port, wire in ports(each.inputs, SETTINGS).items()}
        read = packing(each).unpack(inputs)
        assert read.keys() == each.inputs.keys()
        assert all(np.array_equal(read[port], made[name]) for port, name in each.inputs.items())
        outputs = packing(each).pack({port: made[name] for port, name in each.outputs.items()})
        for port, wire in ports(each.outputs, SETTINGS).items():
            assert outputs[port].shape == (rows, *wire.dims(SETTINGS))
            assert outputs[port].dtype == wire.dtype
            sent[wire.name] = outputs[port]
    assert all(np.array_equal(sent[name], made[name]) for name in (*ENSEMBLE_OUTPUTS, PROPENSITIES))


def test_what_clients_ask_and_read_keeps_its_name() -> None:
    found = wires(SETTINGS)
    assert all(found[name].name == name for name in (*ENSEMBLE_INPUTS, *ENSEMBLE_OUTPUTS, PROPENSITIES))


def test_fewer_tensors_travel() -> None:
    inner = [wire for each in MODELS for wire in ports(each.outputs, SETTINGS).values()]
    assert len(inner) < 0.6 * sum(len(each.outputs) for each in MODELS)
    assert all(len(ports(each.outputs, SETTINGS)) <= 5 for each in MODELS)


@pytest.mark.parametrize("backend", ["triton-cpu", "triton-gpu"])
def test_nothing_is_packed_where_triton_runs_an_onnx_file_itself(backend: str) -> None:
    settings = SETTINGS.model_copy(update={"onnx_backend": backend})
    assert not any(wire.packed for wire in wires(settings).values())
    assert list(ports(model("query_tower").inputs, settings)) == list(model("query_tower").inputs)


def test_only_references_and_answers_travel_within_a_process() -> None:
    settings = SETTINGS.model_copy(update={"stages": "embedded"})
    for each in MODELS:
        made = ports(each.outputs, settings).values()
        assert sum(wire.is_reference for wire in made) == (each.name != "item_id_decoder")
        assert all(wire.is_reference or wire.name in (*ENSEMBLE_OUTPUTS, PROPENSITIES) for wire in made)
        read = ports(each.inputs, settings).values()
        assert all(wire.is_reference or wire.name in ENSEMBLE_INPUTS for wire in read)
