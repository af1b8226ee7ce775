"""Query tower and ranker on Triton's own onnxruntime backend, fed with the graph's tensors as they are.

Twelve models stay with the Python backend. These two compute nothing but their ONNX file, so where Triton has
the backend (NVIDIA's image does, the pip wheel does not) they need no Python between the tensors and the GPU.
A release whose ranker has no form that takes users [B, 1] beside candidates [B, K] keeps its ranker on the
Python backend.

One thing is lost: when the Python backend's ranker fails, retrieval's order is served; here the request
fails, and the gateway answers from its own fallback.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime

from recsys.errors import BadData, BadUse
from recsys.schema import DLRM_BROADCAST_ONNX, QUERY_TOWER_ONNX
from recsys.serving.graph import Model
from recsys.serving.render import model_config
from recsys.serving.tensors import TENSORS
from recsys.settings import ServingSettings

FILES: Final = {"query_tower": QUERY_TOWER_ONNX, "dlrm_ranking": DLRM_BROADCAST_ONNX}
"""The models that can do without Python, and the artefact that each then is."""

MODEL_FILE: Final = "model.onnx"
"""What the backend looks for in a version's folder."""

_TYPES: Final = {"tensor(int32)": np.int32, "tensor(int64)": np.int64, "tensor(float)": np.float32}
_ONNX_TYPES: Final = {np.dtype("float32"): 1, np.dtype("int32"): 6, np.dtype("int64"): 7}
"""TensorProto.DataType of onnx.proto."""


def is_native(model: Model, releases: Path, numbers: Sequence[int], settings: ServingSettings) -> bool:
    """Whether a model runs on the onnxruntime backend.

    Args:
        model: Any model of the ensemble.
        releases: Folder of releases.
        numbers: The releases that it serves.
        settings: Says whether any model does.

    Raises:
        BadUse: One of the releases has the file and another has not; a model's versions share one backend.
    """
    if settings.onnx_backend == "python" or model.name not in FILES:
        return False
    there = [number for number in numbers if (releases / str(number) / FILES[model.name]).is_file()]
    if there and len(there) < len(numbers):
        raise BadUse(
            model.name,
            f"releases {', '.join(map(str, numbers))} do not all have {FILES[model.name]}",
            "Roll out new pods instead of promoting in place, or set RECSYS_SERVING__ONNX_BACKEND=python",
        )
    return bool(there)


def write(
    model_dir: Path, model: Model, releases: Path, numbers: Sequence[int], settings: ServingSettings
) -> None:
    """Write a model's config and its versions' files; what says the same already is not touched.

    Args:
        model_dir: The model's folder in the repository.
        model: One for which `is_native` holds.
        releases: Folder of releases.
        numbers: The releases that it serves.
        settings: Widths, batch size and where it runs.

    Raises:
        BadData: A file does not fit the graph.
    """
    for number in numbers:
        _place(
            model_dir / str(number) / MODEL_FILE, completed(releases / str(number) / FILES[model.name], model)
        )
        (model_dir / str(number) / "model.py").unlink(missing_ok=True)
    _place(model_dir / "config.pbtxt", config(model, settings, numbers).encode())


def config(model: Model, settings: ServingSettings, versions: Sequence[int]) -> str:
    """`config.pbtxt` of a model on the onnxruntime backend, its ports those of the Python backend's.

    Args:
        model: One of `FILES`.
        settings: Widths, batch size and where it runs.
        versions: The releases that it serves.
    """
    kind = "KIND_GPU" if settings.onnx_backend == "triton-gpu" else "KIND_CPU"
    settings = settings.model_copy(update={"stages": "processes"})  # it has no part in Python's lock
    lines = [
        line
        for line in model_config(model, settings, "", versions).splitlines()
        if not line.startswith("parameters")
    ]
    text = "\n".join(
        [*lines, 'parameters { key: "intra_op_thread_count", value: { string_value: "1" } }', ""]
    )
    return text.replace('backend: "python"', 'platform: "onnxruntime_onnx"\nbackend: "onnxruntime"').replace(
        "KIND_CPU", kind
    )


def completed(path: Path, model: Model) -> bytes:
    """An ONNX file that declares every input which the graph feeds its model.

    A tower of the user alone does not declare device and time; Triton refuses a config whose inputs are not
    the file's. So the missing ones are added, read by nothing. A protobuf message followed by another of its
    kind is the two merged (https://protobuf.dev/programming-guides/encoding/#last-one-wins): they are
    appended.

    Args:
        path: Exported model; its own inputs are some of the graph's, of the same dtype.
        model: Its place in the graph.

    Raises:
        BadData: It is damaged, or an input or output is not the graph's.
    """
    try:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no base class of their own
        raise BadData(str(path), "cannot be loaded", "Make the release again") from error
    declared = {port.name: np.dtype(_TYPES[port.type]) for port in session.get_inputs()}
    wanted = {port: TENSORS[name].dtype for port, name in model.inputs.items()}
    for port, dtype in declared.items():
        if wanted.get(port) != dtype:
            raise BadData(
                str(path), f"takes {port} as {dtype}, the graph has {wanted.get(port)}", "Export it again"
            )
    if missing := model.outputs.keys() - {port.name for port in session.get_outputs()}:
        raise BadData(str(path), f"has no output {', '.join(missing)}", "Export it again")
    added = b"".join(
        _field(11, _port(port, dtype, len(TENSORS[model.inputs[port]].shape)))
        for port, dtype in wanted.items()
        if port not in declared
    )
    return path.read_bytes() + (_field(7, added) if added else b"")


def _port(name: str, dtype: np.dtype, dims: int) -> bytes:
    """A ValueInfoProto whose dimensions are all free: the batch, and `dims` more."""
    shape = b"".join(_field(1, _field(2, f"{name}_{at}".encode())) for at in range(1 + dims))
    tensor = b"\x08" + bytes([_ONNX_TYPES[dtype]]) + _field(2, shape)
    return _field(1, name.encode()) + _field(2, _field(1, tensor))


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited protobuf field, number below 16."""
    length, size = bytearray(), len(content)
    while size > 127:
        length.append(size & 127 | 128)
        size >>= 7
    return bytes([number << 3 | 2]) + bytes([*length, size]) + content


def _place(path: Path, content: bytes) -> None:
    if path.is_file() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.tmp")
    scratch.write_bytes(content)
    scratch.replace(path)
