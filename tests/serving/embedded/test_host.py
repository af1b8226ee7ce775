"""What crosses between Triton and the Python inside it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from google.protobuf import json_format, text_format
from tritonclient.grpc import model_config_pb2

from recsys.errors import BadData
from recsys.serving.embedded import host
from recsys.serving.embedded.relay import RELAY
from recsys.serving.graph import model
from recsys.serving.render import model_config
from recsys.settings import ServingSettings

EMBEDDED = ServingSettings(stages="embedded")


def config(name: str, releases: Path) -> str:
    text = model_config(model(name), EMBEDDED, str(releases))
    parsed = text_format.Parse(text, model_config_pb2.ModelConfig())
    return json_format.MessageToJson(parsed, preserving_proto_field_name=True)


def crossing(name: str, array: np.ndarray) -> host.Tensor:
    """A tensor as backend.c hands it over."""
    return name, host._NUMBERS[array.dtype], array.shape, memoryview(array.tobytes())


def left(arrays: dict[str, np.ndarray], readers: int = 1) -> host.Tensor:
    """A reference to what the model before the decoder made, as it reaches the decoder."""
    references = RELAY.put(arrays, len(next(iter(arrays.values()))), readers)
    return crossing("softmax_sampling_tensors", references)


def test_requests_are_answered_together(release: Path) -> None:
    loaded = host.load("item_id_decoder", 1, config("item_id_decoder", release.parent))
    items = np.full((3, 100), -1)
    items[:, 0] = 4, 7, 5
    kept = len(RELAY)
    ((count, ((name, number, shape, array),)),) = loaded.answer([1, 2], [left({"ordered_items": items})])
    assert (count, name, number, shape) == (2, "ordered_ids", 9, (3, 100))
    assert array.flags["C_CONTIGUOUS"]
    ids = np.load(release / "item_ids.npy")
    assert array[:, 0].tolist() == ids[[4, 7, 5]].tolist()
    assert len(RELAY) == kept
    loaded.finalize()


def test_one_that_fails_is_a_line_and_fails_no_other(release: Path) -> None:
    loaded = host.load("item_id_decoder", 1, config("item_id_decoder", release.parent))
    run = loaded._stage.run

    def fragile(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        if (inputs["ordered_items"] == 7).any():
            raise ValueError("seven")
        return run(inputs)

    loaded._relayed._stage = SimpleNamespace(run=fragile)
    items = np.full((2, 100), -1)
    items[:, 0] = 4, 7
    (_, good), (_, bad) = loaded.answer([1, 1], [left({"ordered_items": items})])
    assert good[0][3][0, 0] == np.load(release / "item_ids.npy")[4]
    assert bad == "item_id_decoder: failed (ValueError). The server's log says more"
    loaded.finalize()


def test_a_models_place_is_that_in_the_graph(release: Path) -> None:
    loaded = host.load("item_id_decoder", 1, config("item_id_decoder", release.parent))
    assert loaded.place() == (13, 64, ("softmax_sampling",))
    loaded.finalize()


def test_a_damaged_release_is_refused(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    with pytest.raises(BadData, match="item_ids"):
        host.load("item_id_decoder", 1, config("item_id_decoder", tmp_path))


def test_the_config_names_the_backend_and_leaves_stacking_to_it(tmp_path: Path) -> None:
    found = json.loads(config("item_id_decoder", tmp_path))
    assert found["backend"] == "stages"
    assert "dynamic_batching" not in found
    assert [port["name"] for port in found["input"]] == ["softmax_sampling_tensors"]
