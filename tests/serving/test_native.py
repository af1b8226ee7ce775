from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from factories.release import make_release
from google.protobuf import text_format
from onnx import TensorProto, helper
from tritonclient.grpc import model_config_pb2

from recsys import schema
from recsys.errors import BadData, BadUse
from recsys.serving import native
from recsys.serving.graph import Model, model
from recsys.serving.repository import assemble, set_versions
from recsys.serving.tensors import TENSORS
from recsys.settings import ServingSettings

SETTINGS = ServingSettings(
    stages="processes", retrieved=60, ranked=50, returned=10, onnx_backend="triton-gpu"
)
KINDS = {np.dtype("float32"): TensorProto.FLOAT, np.dtype("int64"): TensorProto.INT64}
TRITONS = {"tensor(float)": "TYPE_FP32", "tensor(int64)": "TYPE_INT64"}


@pytest.fixture
def releases(tmp_path: Path) -> Path:
    """Two releases, both with a ranker that broadcasts."""
    for number in (1, 2):
        folder = make_release(tmp_path / "releases" / str(number), seed=number)
        write_ranker(folder / schema.DLRM_BROADCAST_ONNX)
    return tmp_path / "releases"


def write_ranker(path: Path, price: TensorProto.DataType = TensorProto.FLOAT) -> None:
    """A ranker that likes what is cheap for the user's age."""
    ports = [
        helper.make_tensor_value_info("age", TensorProto.FLOAT, ["users", 1]),
        helper.make_tensor_value_info("price", price, ["users", "candidates"]),
    ]
    score = helper.make_tensor_value_info("score", TensorProto.FLOAT, ["users", "candidates"])
    graph = helper.make_graph(
        [helper.make_node("Sub", ["age", "price"], ["score"])], "ranker", ports, [score]
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def parsed(path: Path) -> model_config_pb2.ModelConfig:
    return text_format.Parse(path.read_text(), model_config_pb2.ModelConfig())


@pytest.mark.parametrize("name", list(native.FILES))
def test_config_and_file_agree_on_every_port(releases: Path, tmp_path: Path, name: str) -> None:
    """What Triton's backend checks when it loads a model: names, types and dimensions."""
    assemble(tmp_path / "models", releases, 2, SETTINGS)
    folder = tmp_path / "models" / name
    config = parsed(folder / "config.pbtxt")
    session = onnxruntime.InferenceSession(folder / "2" / native.MODEL_FILE)
    assert (config.platform, config.backend) == ("onnxruntime_onnx", "onnxruntime")
    assert [group.kind for group in config.instance_group] == [model_config_pb2.ModelInstanceGroup.KIND_GPU]
    assert not (folder / "2" / "model.py").exists()
    for rendered, ports in ((config.input, session.get_inputs()), (config.output, session.get_outputs())):
        assert {port.name for port in rendered} == {port.name for port in ports}
        by_name = {port.name: port for port in ports}
        for port in rendered:
            file = by_name[port.name]
            assert model_config_pb2.DataType.Name(port.data_type) == TRITONS[file.type]
            assert len(port.dims) + 1 == len(file.shape), port.name
            for width, declared in zip(port.dims, file.shape[1:], strict=True):
                assert isinstance(declared, str) or declared is None or declared == width, port.name


def test_it_computes_what_the_python_backend_computes(releases: Path) -> None:
    """Inputs that were added change nothing."""
    original, ranker = releases / "1" / schema.DLRM_BROADCAST_ONNX, model("dlrm_ranking")
    rng = np.random.default_rng(0)
    feed = {name: _draw(ranker, name, rng) for name in ranker.inputs}
    session = onnxruntime.InferenceSession(native.completed(original, ranker))
    expected = onnxruntime.InferenceSession(original).run(
        ["score"], {name: feed[name] for name in ("age", "price")}
    )
    assert {port.name for port in session.get_inputs()} == ranker.inputs.keys()
    np.testing.assert_array_equal(session.run(["score"], feed)[0], expected[0])
    onnx.checker.check_model(onnx.load_model_from_string(native.completed(original, ranker)))


def _draw(ranker: Model, port: str, rng: np.random.Generator) -> np.ndarray:
    tensor = TENSORS[ranker.inputs[port]]
    return rng.integers(0, 9, size=(2, *tensor.dims(SETTINGS))).astype(tensor.dtype)


def test_a_complete_file_is_left_as_it_is(releases: Path) -> None:
    file = releases / "1" / schema.QUERY_TOWER_ONNX
    whole = native.completed(file, model("query_tower"))
    (releases / "whole.onnx").write_bytes(whole)
    assert native.completed(releases / "whole.onnx", model("query_tower")) == whole


def test_the_others_stay_with_python_and_so_do_all_by_default(releases: Path, tmp_path: Path) -> None:
    assemble(tmp_path / "models", releases, 1, SETTINGS)
    backends = {
        path.parent.name: parsed(path).backend for path in (tmp_path / "models").glob("*/config.pbtxt")
    }
    assert {name for name, backend in backends.items() if backend == "onnxruntime"} == set(native.FILES)
    assemble(tmp_path / "models", releases, 1, SETTINGS.model_copy(update={"onnx_backend": "python"}))
    assert parsed(tmp_path / "models" / "query_tower" / "config.pbtxt").backend == "python"


def test_a_ranker_that_does_not_broadcast_stays_with_python(releases: Path, tmp_path: Path) -> None:
    (releases / "1" / schema.DLRM_BROADCAST_ONNX).unlink()
    assemble(tmp_path / "models", releases, 1, SETTINGS)
    assert parsed(tmp_path / "models" / "dlrm_ranking" / "config.pbtxt").backend == "python"
    assert parsed(tmp_path / "models" / "query_tower" / "config.pbtxt").backend == "onnxruntime"


def test_two_releases_side_by_side_and_what_is_there_is_not_touched(releases: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    assemble(models, releases, 1, SETTINGS)
    first = models / "dlrm_ranking" / "1" / native.MODEL_FILE
    before = first.stat().st_mtime_ns
    set_versions(models, releases, [1, 2], SETTINGS)
    assert first.stat().st_mtime_ns == before
    assert (models / "dlrm_ranking" / "2" / native.MODEL_FILE).is_file()
    assert list(parsed(models / "dlrm_ranking" / "config.pbtxt").version_policy.specific.versions) == [1, 2]


def test_releases_that_want_different_backends_cannot_be_side_by_side(releases: Path, tmp_path: Path) -> None:
    assemble(tmp_path / "models", releases, 1, SETTINGS)
    (releases / "2" / schema.DLRM_BROADCAST_ONNX).unlink()
    with pytest.raises(BadUse, match="Roll out new pods"):
        set_versions(tmp_path / "models", releases, [1, 2], SETTINGS)


@pytest.mark.parametrize("damage", ["not ONNX", "another type"])
def test_a_file_that_does_not_fit_is_named(releases: Path, damage: str) -> None:
    file = releases / "1" / schema.DLRM_BROADCAST_ONNX
    file.write_bytes(b"x") if damage == "not ONNX" else write_ranker(file, TensorProto.INT64)
    with pytest.raises(BadData, match=r"dlrm_broadcast\.onnx"):
        native.completed(file, model("dlrm_ranking"))
