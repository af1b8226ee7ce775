"""What travels between two models of the ensemble: the tensors that one model makes, packed by dtype.

Triton and its Python backend handle each tensor of each request on its own, on both sides of each of the
fourteen hops, and most of these hold a single number. So what a model puts out in one dtype goes on as one
tensor, a column after the other, and who reads any of them gets it whole.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from recsys.serving.graph import ENSEMBLE_OUTPUTS, MODELS, PROPENSITIES, Model
from recsys.serving.tensors import TENSORS

if TYPE_CHECKING:  # the settings' library would cost each of fourteen model processes 10 MB
    from recsys.settings import ServingSettings

Arrays = dict[str, np.ndarray]

INPUTS_PARAMETER: Final = "packed_inputs"
OUTPUTS_PARAMETER: Final = "packed_outputs"
"""A model's parameters that say what its tensors hold, as JSON."""


@dataclass(frozen=True)
class Wire:
    """One tensor of the ensemble as Triton sees it.

    Attributes:
        name: Triton's.
        tensors: Of the graph, in the order of its columns; one that travels alone keeps name and shape.
    """

    name: str
    tensors: tuple[str, ...]

    @property
    def dtype(self) -> np.dtype:
        """That of all its tensors."""
        return TENSORS[self.tensors[0]].dtype

    @property
    def packed(self) -> bool:
        """Whether it holds more than one tensor."""
        return len(self.tensors) > 1

    def dims(self, settings: ServingSettings) -> tuple[int, ...]:
        """Its shape beside the batch dimension."""
        if not self.packed:
            return TENSORS[self.tensors[0]].dims(settings)
        return (sum(math.prod(TENSORS[name].dims(settings)) for name in self.tensors),)


def wires(settings: ServingSettings) -> dict[str, Wire]:
    """The wire that each tensor of the graph travels on.

    Embeddings of items travel alone, since packing would copy them once more; so does what clients ask for,
    and everything where Triton's onnxruntime backend, which takes a model's inputs one by one, runs a model.

    Args:
        settings: Says which backend runs the ONNX models.
    """
    alone = {
        *ENSEMBLE_OUTPUTS,
        PROPENSITIES,
        *(name for name, each in TENSORS.items() if len(each.shape) > 1),
    }
    found = {name: Wire(name, (name,)) for name in TENSORS}
    if settings.onnx_backend != "python":
        return found
    for model in MODELS:
        for dtype in dict.fromkeys(TENSORS[name].dtype for name in model.outputs.values()):
            together = tuple(
                name for name in model.outputs.values() if name not in alone and TENSORS[name].dtype == dtype
            )
            if len(together) > 1:
                found |= dict.fromkeys(together, Wire(f"{model.name}_{dtype.name}", together))
    return found


def ports(tensors: Mapping[str, str], settings: ServingSettings) -> dict[str, Wire]:
    """A model's inputs or outputs as Triton sees them: name of the port -> wire.

    Args:
        tensors: `Model.inputs` or `Model.outputs`.
        settings: See `wires`.
    """
    by_tensor = wires(settings)
    found = {}
    for port, tensor in tensors.items():
        wire = by_tensor[tensor]
        found[wire.name if wire.packed else port] = wire
    return found


def parameters(model: Model, settings: ServingSettings) -> dict[str, str]:
    """What `Packing.read` needs to know, as parameters of the model's config.

    Args:
        model: The model.
        settings: Widths of its tensors.
    """
    read_as = {tensor: port for port, tensor in model.inputs.items()}
    made_as = {tensor: port for port, tensor in model.outputs.items()}
    inputs = {
        wire.name: [(read_as.get(name), TENSORS[name].dims(settings)[0]) for name in wire.tensors]
        for wire in ports(model.inputs, settings).values()
        if wire.packed
    }
    outputs = {
        wire.name: [made_as[name] for name in wire.tensors]
        for wire in ports(model.outputs, settings).values()
        if wire.packed
    }
    found = {INPUTS_PARAMETER: inputs, OUTPUTS_PARAMETER: outputs}
    return {name: json.dumps(packed) for name, packed in found.items() if packed}


@dataclass(frozen=True)
class Packing:
    """How a model's tensors lie in what Triton hands over.

    Attributes:
        inputs: Packed input -> the port and the columns of each of its tensors, those the model reads.
        outputs: Packed output -> the ports whose columns follow each other in it.
    """

    inputs: Mapping[str, list[tuple[str, slice]]]
    outputs: Mapping[str, list[str]]

    @classmethod
    def read(cls, values: Mapping[str, str]) -> Packing:
        """Out of a model's parameters, as `parameters` wrote them."""
        inputs = {}
        for name, parts in json.loads(values.get(INPUTS_PARAMETER, "{}")).items():
            ends = np.cumsum([width for _, width in parts]).tolist()
            spans = [slice(end - width, end) for (_, width), end in zip(parts, ends, strict=True)]
            inputs[name] = [(port, span) for (port, _), span in zip(parts, spans, strict=True) if port]
        return cls(inputs, json.loads(values.get(OUTPUTS_PARAMETER, "{}")))

    def unpack(self, arrays: Arrays) -> Arrays:
        """What came in, [B, ...], by the model's ports; views where it was packed."""
        found: Arrays = {}
        for name, array in arrays.items():
            if name in self.inputs:
                found |= {port: array[:, span] for port, span in self.inputs[name]}
            else:
                found[name] = array
        return found

    def pack(self, arrays: Arrays) -> Arrays:
        """The model's outputs, [B, ...], as Triton wants them."""
        if not self.outputs:
            return arrays
        packed = {
            name: np.concatenate([arrays[port] for port in ports], axis=1)
            for name, ports in self.outputs.items()
        }
        inside = {port for ports in self.outputs.values() for port in ports}
        return {name: array for name, array in arrays.items() if name not in inside} | packed
