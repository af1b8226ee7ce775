from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from recsys.models.onnx_weights import write_with_weights

_ROWS, _WIDTH, _OUT = 3, 4, 5


def _weights(seed: int) -> list[np.ndarray]:
    """A kernel and a bias."""
    rng = np.random.default_rng(seed)
    return [rng.random((_WIDTH, _OUT), dtype=np.float32), rng.random(_OUT, dtype=np.float32)]


def _write(path: Path, weights: list[np.ndarray], transposed: bool = False) -> Path:
    """x W + b, the kernel as it is or the other way round, the bias with an axis more."""
    kernel, bias = weights
    nodes = [
        helper.make_node("Gemm", ["x", "kernel"], ["product"], transB=int(transposed)),
        helper.make_node("Add", ["product", "bias"], ["y"]),
    ]
    constants = [
        numpy_helper.from_array(np.ascontiguousarray(kernel.T if transposed else kernel), "kernel"),
        numpy_helper.from_array(bias[None], "bias"),
    ]
    ports = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, width])
        for name, width in (("x", _WIDTH), ("y", _OUT))
    ]
    graph = helper.make_graph(nodes, "line", ports[:1], ports[1:], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def _run(path: Path) -> np.ndarray:
    x = np.random.default_rng(9).random((_ROWS, _WIDTH), dtype=np.float32)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"x": x})[0])


@settings(max_examples=10, deadline=None)
@given(transposed=st.booleans(), seed=st.integers(1, 2**31))
def test_it_is_what_an_export_would_have_written(
    tmp_path_factory: pytest.TempPathFactory, transposed: bool, seed: int
) -> None:
    folder = tmp_path_factory.mktemp("line")
    before, after = _weights(0), _weights(seed)
    template = _write(folder / "before.onnx", before, transposed)
    assert write_with_weights(template, before, after, folder / "out" / "after.onnx")
    assert np.array_equal(
        _run(folder / "out" / "after.onnx"), _run(_write(folder / "new.onnx", after, transposed))
    )


def test_what_has_not_changed_need_not_be_there(tmp_path: Path) -> None:
    before, after = _weights(0), _weights(1)
    template = _write(tmp_path / "before.onnx", before)
    unused = [np.float32(3.0), np.zeros(7, np.float32)]
    assert write_with_weights(template, before + unused, after + unused, tmp_path / "after.onnx")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([*_weights(0), np.ones(7, np.float32)], [*_weights(1), np.zeros(7, np.float32)]),
        ([*_weights(0), np.array(3.0)], [*_weights(1), np.array(4.0)]),
        ([*_weights(0), _weights(0)[1]], [*_weights(1), np.zeros(_OUT, np.float32)]),
        (_weights(0), [_weights(1)[0], np.zeros(_OUT + 1, np.float32)]),
        (_weights(0), _weights(1)[:1]),
    ],
    ids=["nowhere", "a single number", "twice the same", "another shape", "one is missing"],
)
def test_what_is_not_certain_is_not_written(
    tmp_path: Path, before: list[np.ndarray], after: list[np.ndarray]
) -> None:
    template = _write(tmp_path / "before.onnx", _weights(0))
    assert not write_with_weights(template, before, after, tmp_path / "after.onnx")
    assert not (tmp_path / "after.onnx").exists()


def _scaled(path: Path, number: float, others: tuple[float, ...] = ()) -> Path:
    """x times a number; others stand beside it."""
    nodes = [helper.make_node("Mul", ["x", "number"], ["y"])]
    constants = [numpy_helper.from_array(np.float32(number), "number")]
    constants += [numpy_helper.from_array(np.float32(each), f"other {at}") for at, each in enumerate(others)]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, _WIDTH]) for name in "xy"]
    graph = helper.make_graph(nodes, "scaled", ports[:1], ports[1:], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_a_number_that_was_found_is_replaced(tmp_path: Path) -> None:
    template = _scaled(tmp_path / "before.onnx", 0.87118554, (0.5,))
    before, after = [np.float32(0.87118554)], [np.float32(0.7654321)]
    assert write_with_weights(template, before, after, tmp_path / "after.onnx")
    assert np.array_equal(_run(tmp_path / "after.onnx"), _run(_scaled(tmp_path / "new.onnx", 0.7654321)))


@pytest.mark.parametrize(
    ("number", "others"), [(0.5, ()), (1.0, ()), (0.87118554, (0.87118554,))], ids=["plain", "one", "twice"]
)
def test_a_number_that_may_mean_something_else_is_not(
    tmp_path: Path, number: float, others: tuple[float, ...]
) -> None:
    template = _scaled(tmp_path / "before.onnx", number, others)
    changed = [np.float32(number)], [np.float32(0.7654321)]
    assert not write_with_weights(template, *changed, tmp_path / "after.onnx")


def test_a_table_that_is_not_there_forbids_it(tmp_path: Path) -> None:
    before, after = _weights(0), _weights(1)
    template = _write(tmp_path / "before.onnx", before)
    kernel = before[0].copy()
    assert write_with_weights(template, before[1:], after[1:], tmp_path / "same.onnx", fixed=[kernel])
    kernel[0, 0] += 1
    assert not write_with_weights(template, before[1:], after[1:], tmp_path / "other.onnx", fixed=[kernel])
