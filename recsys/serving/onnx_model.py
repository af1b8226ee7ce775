"""An ONNX model on one thread or the GPU, fed with named arrays."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime

from recsys.errors import BadData, BadUse

_DTYPES: Final[dict[str, np.dtype]] = {
    "tensor(int32)": np.dtype("int32"),
    "tensor(int64)": np.dtype("int64"),
    "tensor(float)": np.dtype("float32"),
}

_CPU: Final = "CPUExecutionProvider"
_CUDA: Final = "CUDAExecutionProvider"


class OnnxModel:
    """A session on the CPU, with one thread since Triton's instances are the parallelism, or on the GPU.

    Args:
        path: The .onnx file.
        output: Name of the output to compute.
        known: Input names that can be fed.

    Raises:
        BadData: The file is missing or damaged, lacks the output, or wants an input that is not known.
        BadUse: A GPU is asked for and this onnxruntime cannot use one.
    """

    def __init__(self, path: Path, output: str, known: tuple[str, ...]) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        providers = _providers()
        fix = "Export the model again"
        try:
            self._session = onnxruntime.InferenceSession(path, sess_options=options, providers=providers)
        except Exception as error:  # onnxruntime's errors share no base class of their own
            cause = (str(error) or type(error).__name__).splitlines()[0]
            raise BadData(str(path), f"cannot be loaded ({cause})", fix) from error
        if output not in {port.name for port in self._session.get_outputs()}:
            raise BadData(str(path), f"has no output {output}", fix)
        self.inputs = {port.name: _DTYPES[port.type] for port in self._session.get_inputs()}
        if unknown := sorted(set(self.inputs) - set(known)):
            raise BadData(str(path), f"wants {', '.join(unknown)}, which serving does not have", fix)
        self._outputs = [output]

    def run(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """The output for some rows.

        Args:
            columns: [rows, width] each; those the model does not read are passed over, and a dtype is
                changed only where it differs.

        Returns:
            float32 [rows, ...].
        """
        feed = {name: columns[name].astype(dtype, copy=False) for name, dtype in self.inputs.items()}
        result: np.ndarray = self._session.run(self._outputs, feed)[0]
        return result


def _providers() -> list[str]:
    """The CPU's provider, after the GPU's where the settings ask for one."""
    if "RECSYS_GPU" in os.environ:
        # Imported only then: the other model processes do without the settings' library.
        from recsys.settings import get_settings

        if get_settings().gpu:
            # onnxruntime would fall back to the CPU with a warning, and a GPU node would be paid for nothing.
            if _CUDA not in onnxruntime.get_available_providers():
                raise BadUse(
                    "RECSYS_GPU", "this onnxruntime knows no GPU", "Install onnxruntime-gpu, or unset it"
                )
            return [_CUDA, _CPU]
    return [_CPU]
