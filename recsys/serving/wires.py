"""What travels between two models of the ensemble: the tensors that one model makes, packed by dtype.

Triton and its Python backend handle each tensor of each request on its own, on both sides of each of the
fourteen hops, and most of these hold a single number. So what a model puts out in one dtype goes on as one
tensor, a column after the other, and who reads any of them gets it whole.

Where all models run in one process nothing has to travel but a reference; see
`recsys.serving.embedded.relay`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from recsys.serving.graph import ENSEMBLE_OUTPUTS, MODELS, PROPENSITIES, Model
from recsys.serving.tensors import INT64, TENSORS

if TYPE_CHECKING:  # the settings' library would cost each of fourteen model processes 10 MB
    from recsys.settings import ServingSettings

Arrays = dict[str, np.ndarray]

INPUTS_PARAMETER: Final = "packed_inputs"
OUTPUTS_PARAMETER: Final = "packed_outputs"
"""A model's parameters that say what its tensors hold, as JSON."""

READ_PARAMETER: Final = "read_references"
READERS_PARAMETER: Final = "made_references"
"""The same of references: those it reads with their tensors' shapes, the one it makes with its readers."""


@dataclass(frozen=True)
class Wire:
    """One tensor of the ensemble as Triton sees it.

    Attributes:
        name: Triton's.
        tensors: Of the graph, in the order of its columns; one that travels alone keeps name and shape.
        is_reference: Whether it holds a number in their place, for which the process has them.
    """

    name: str
    tensors: tuple[str, ...]
    is_reference: bool = False

    @property
    def dtype(self) -> np.dtype:
        """That of all its tensors, or of references."""
        return INT64 if self.is_reference else TENSORS[self.tensors[0]].dtype

    @property
    def packed(self) -> bool:
        """Whether it holds more than one tensor."""
        return len(self.tensors) > 1 and not self.is_reference

    def dims(self, settings: ServingSettings) -> tuple[int, ...]:
        """Its shape beside the batch dimension."""
        if self.is_reference:
            return (1,)
        if not self.packed:
            return TENSORS[self.tensors[0]].dims(settings)
        return (sum(math.prod(TENSORS[name].dims(settings)) for name in self.tensors),)


def wires(settings: ServingSettings) -> dict[str, Wire]:
    """The wire that each tensor of the graph travels on.

    Embeddings of items travel alone, since packing would copy them once more; so does what clients ask for,
    and everything where Triton's onnxruntime backend, which takes a model's inputs one by one, runs a model.

    Args:
        settings: Says which backend runs the ONNX models, and whether all models share a process.
    """
    answer = {*ENSEMBLE_OUTPUTS, PROPENSITIES}
    found = {name: Wire(name, (name,)) for name in TENSORS}
    if settings.onnx_backend != "python":
        return found
    if settings.stages == "embedded":
        for model in MODELS:
            inner = tuple(name for name in model.outputs.values() if name not in answer)
            found |= dict.fromkeys(inner, Wire(f"{model.name}_tensors", inner, is_reference=True))
        return found
    alone = answer | {name for name, each in TENSORS.items() if len(each.shape) > 1}
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
        found[wire.name if wire.packed or wire.is_reference else port] = wire
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
    found = {INPUTS_PARAMETER: inputs, OUTPUTS_PARAMETER: outputs, **_references(model, settings)}
    return {name: json.dumps(packed) for name, packed in found.items() if packed}


def _references(model: Model, settings: ServingSettings) -> dict[str, dict[str, Any]]:
    """What `recsys.serving.embedded.relay.References.of` reads."""
    read = {
        wire.name: {
            port: TENSORS[name].dims(settings) for port, name in model.inputs.items() if name in wire.tensors
        }
        for wire in ports(model.inputs, settings).values()
        if wire.is_reference
    }
    made = {wire.name: wire for wire in ports(model.outputs, settings).values() if wire.is_reference}
    readers = {
        name: (sum(not set(wire.tensors).isdisjoint(other.inputs.values()) for other in MODELS), wire.tensors)
        for name, wire in made.items()
    }
    return {READ_PARAMETER: read, READERS_PARAMETER: readers}


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
