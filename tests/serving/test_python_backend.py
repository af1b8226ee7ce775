"""The adapter: stacks and splits requests, fills in optional inputs, keeps one's error from the others."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from recsys.errors import BadUse
from recsys.serving import python_backend
from recsys.serving.graph import model
from recsys.serving.python_backend import TritonPythonModel, answer
from recsys.serving.render import model_config
from recsys.serving.stage import Arrays
from recsys.serving.wires import ports
from recsys.settings import ServingSettings

MODEL = model("item_id_decoder")


class Doubler:
    """Doubles; refuses 13, breaks on 99."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def run(self, inputs: Arrays) -> Arrays:
        numbers = inputs["x"]
        self.batches.append(len(numbers))
        if (numbers == 13).any():
            raise BadUse("13", "brings bad luck", "Use another")
        if (numbers == 99).any():
            raise ZeroDivisionError("line one\nline two")
        return {"y": numbers * 2}


def request(*numbers: int) -> Arrays:
    return {"x": np.array(numbers).reshape(-1, 1)}


def test_requests_are_stacked_run_once_and_split() -> None:
    stage = Doubler()
    outcomes = answer(MODEL, stage, [request(1, 2), request(3), request(4, 5, 6)])
    assert [outcome["y"].tolist() for outcome in outcomes if not isinstance(outcome, str)] == [
        [[2], [4]],
        [[6]],
        [[8], [10], [12]],
    ]
    assert stage.batches == [6]


def test_one_request_is_not_copied() -> None:
    class Same:
        def run(self, inputs: Arrays) -> Arrays:
            return inputs

    alone = request(1, 2)
    (outcome,) = answer(MODEL, Same(), [alone])
    assert not isinstance(outcome, str)
    assert outcome["x"] is alone["x"]


def test_a_bad_request_fails_no_other(caplog: pytest.LogCaptureFixture) -> None:
    outcomes = answer(MODEL, Doubler(), [request(1), request(13), request(99), request(4)])
    assert [isinstance(outcome, str) for outcome in outcomes] == [False, True, True, False]
    assert outcomes[1] == "13: brings bad luck. Use another"
    assert outcomes[2] == "item_id_decoder: failed (ZeroDivisionError). The server's log says more"
    assert "line two" in caplog.text


class FakeTensor:
    def __init__(self, name: str, array: np.ndarray) -> None:
        self.name, self.array = name, array

    def as_numpy(self) -> np.ndarray:
        return self.array


@pytest.fixture
def triton(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The part of `triton_python_backend_utils` that the adapter uses."""

    def response(tensors: list[FakeTensor] | None = None, error: str | None = None) -> SimpleNamespace:
        return SimpleNamespace(tensors={each.name: each.array for each in tensors or []}, error=error)

    fake = SimpleNamespace(
        Tensor=FakeTensor,
        TritonError=str,
        InferenceResponse=response,
        get_input_tensor_by_name=lambda asked, name: asked.get(name),
    )
    monkeypatch.setitem(sys.modules, "triton_python_backend_utils", fake)
    return fake


def arguments(name: str, releases: Path, version: int = 1) -> dict[str, str]:
    """Triton's own: the model's config as JSON."""
    from google.protobuf import json_format, text_format
    from tritonclient.grpc import model_config_pb2

    text = model_config(model(name), ServingSettings(stages="processes"), str(releases))
    config = text_format.Parse(text, model_config_pb2.ModelConfig())
    return {
        "model_name": name,
        "model_version": str(version),
        "model_config": json_format.MessageToJson(config, preserving_proto_field_name=True),
    }


def test_the_version_is_the_release(release: Path, triton: SimpleNamespace) -> None:
    backend = TritonPythonModel()
    backend.initialize(arguments("item_id_decoder", release.parent))
    items = np.full((1, 100), -1)
    items[0, 0] = 4
    (response,) = backend.execute([{"ordered_items": FakeTensor("ordered_items", items)}])
    ids = np.load(release / "item_ids.npy")
    assert response.tensors["ordered_ids"][0, :2].tolist() == [ids[4], -1]
    backend.finalize()
    with pytest.raises(Exception, match="item_ids"):
        TritonPythonModel().initialize(arguments("item_id_decoder", release.parent, version=7))


def test_optional_inputs_get_their_defaults(release: Path, triton: SimpleNamespace) -> None:
    backend = TritonPythonModel()
    backend.initialize(arguments("context_preprocessor", release.parent))
    users = FakeTensor("user_id", np.array([[1], [2]]))
    device = FakeTensor("device_type", np.array([[1], [0]], np.int32))
    moment = FakeTensor("timestamp", np.array([[5], [6]]))
    responses = backend.execute(
        [{"user_id": users, "device_type": device, "timestamp": moment}, {"user_id": users}]
    )
    devices, moments = (responses[0].tensors["context_preprocessor_int64"][:, at] for at in (0, 1))
    assert (devices.tolist(), moments.tolist()) == ([1, 0], [5, 6])
    devices, moments = (responses[1].tensors["context_preprocessor_int64"][:, at] for at in (0, 1))
    assert devices.tolist() == [-1, -1]
    assert (moments > 1_600_000_000).all()


def test_views_are_made_whole_before_triton_gets_them(release: Path, triton: SimpleNamespace) -> None:
    backend = TritonPythonModel()
    backend.initialize(arguments("unroll_features", release.parent))
    widths = {
        name: wire.dims(ServingSettings(stages="processes"))[0]
        for name, wire in ports(model("unroll_features").inputs, ServingSettings(stages="processes")).items()
    }
    inputs = {
        name: FakeTensor(name, np.arange(6 * width).reshape(6, width)[::2]) for name, width in widths.items()
    }
    (response,) = backend.execute([inputs])
    assert all(array.flags["C_CONTIGUOUS"] for array in response.tensors.values())
    assert response.tensors["unroll_features_int64"][:, 0].tolist() == [0, 8, 16]


def test_an_error_becomes_the_requests_response(
    release: Path, triton: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = TritonPythonModel()
    backend.initialize(arguments("item_id_decoder", release.parent))
    monkeypatch.setattr(python_backend, "answer", lambda *_: ["one line"])
    (response,) = backend.execute([{"ordered_items": FakeTensor("ordered_items", np.full((1, 100), -1))}])
    assert (response.error, response.tensors) == ("one line", {})


def test_a_config_is_json_with_text_dims() -> None:
    """Triton writes 64-bit numbers of a config as text."""
    config = json.loads(arguments("query_tower", Path("r"))["model_config"])
    assert python_backend.zeros(config)["nvt_user_transform_int64"].shape == (1, 4)
