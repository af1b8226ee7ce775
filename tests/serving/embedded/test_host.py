"""What crosses between Triton and the Python inside it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import json_format, text_format
from tritonclient.grpc import model_config_pb2

from recsys.errors import BadData
from recsys.serving.embedded import host
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


def test_requests_are_answered_together_and_apart(release: Path) -> None:
    loaded = host.load("item_id_decoder", 1, config("item_id_decoder", release.parent))
    items = np.full((2, 100), -1)
    items[0, 0], items[1, 0] = 4, 7
    answers = loaded.execute([[crossing("ordered_items", items[:1])], [crossing("ordered_items", items[1:])]])
    ids = np.load(release / "item_ids.npy")
    for answer, expected in zip(answers, (4, 7), strict=True):
        ((name, number, shape, array),) = answer
        assert (name, number, shape) == ("ordered_ids", 9, (1, 100))
        assert array.flags["C_CONTIGUOUS"]
        assert array[0, :2].tolist() == [ids[expected], -1]
    loaded.finalize()


def test_one_that_fails_is_a_line(release: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = host.load("item_id_decoder", 1, config("item_id_decoder", release.parent))
    monkeypatch.setattr(host, "answer", lambda *_: ["one line"])
    assert loaded.execute([[crossing("ordered_items", np.full((1, 100), -1))]]) == ["one line"]
    loaded.finalize()


def test_a_damaged_release_is_refused(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    with pytest.raises(BadData, match="item_ids"):
        host.load("item_id_decoder", 1, config("item_id_decoder", tmp_path))


def test_the_config_names_the_backend_and_the_turn(tmp_path: Path) -> None:
    order = {}
    for name in ("context_preprocessor", "item_id_decoder"):
        found = json.loads(config(name, tmp_path))
        assert found["backend"] == "stages"
        limiter = found["instance_group"][0]["rate_limiter"]
        assert limiter["resources"] == [{"name": "python", "global": True, "count": 1}]
        order[name] = limiter["priority"]
    assert order["item_id_decoder"] < order["context_preprocessor"]
