"""An ONNX model on one thread, fed with named arrays."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime

from recsys.errors import BadData

_DTYPES: Final[dict[str, np.dtype]] = {
    "tensor(int32)": np.dtype("int32"),
    "tensor(int64)": np.dtype("int64"),
    "tensor(float)": np.dtype("float32"),
}


class OnnxModel:
    """A session on the CPU, with one thread: Triton's instances are the parallelism.

    Args:
        path: The .onnx file.
        output: Name of the output to compute.
        known: Input names that can be fed.

    Raises:
        BadData: The file is missing or damaged, lacks the output, or wants an input that is not known.
    """

    def __init__(self, path: Path, output: str, known: tuple[str, ...]) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        fix = "Export the model again"
        try:
            self._session = onnxruntime.InferenceSession(
                path, sess_options=options, providers=["CPUExecutionProvider"]
            )
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
