"""Triton's Python backend, for every model of the ensemble: requests in, one stage call, responses out.

`1/model.py` of each model imports `TritonPythonModel` from here; Triton tells it which model it is.
"""

from __future__ import annotations

import gc
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from recsys.errors import RecsysError
from recsys.serving.gently import gently, load_niceness
from recsys.serving.graph import RELEASES_PARAMETER, Model, is_optional, model
from recsys.serving.measurements import publisher
from recsys.serving.stage import Arrays, Stage, close_stages, load_stage
from recsys.serving.tensors import TENSORS
from recsys.serving.wires import Packing

if TYPE_CHECKING:
    from recsys.serving.store import Store

_log = logging.getLogger(__name__)

_COLLECT_AFTER: Final = (20_000, 20, 20)
"""Requests leave no cycles behind; by default a collection would run every few of them."""

Outcome = Arrays | str
"""One request's outputs, or the one line that says why there are none."""


class TritonPythonModel:
    """What Triton makes one of per model instance; the method names are Triton's."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Load the stage of the release whose number is the model's version.

        Args:
            args: Triton's: model_name, model_version and model_config, a JSON text.

        Raises:
            RecsysError: An artefact is missing or damaged; Triton then refuses the model.
        """
        config = json.loads(args["model_config"])
        parameters = {key: entry["string_value"] for key, entry in config["parameters"].items()}
        self._model = model(args["model_name"])
        artefacts = Path(parameters[RELEASES_PARAMETER]) / args["model_version"]
        example = self.example(config, parameters)
        self._stage = gently(lambda: self._loaded(artefacts, parameters, example), load_niceness())
        self.connect(parameters)
        labels = {"model": args["model_name"], "version": args["model_version"]}
        self._publisher = publisher(self._stage, labels, self.metrics_module)
        gc.collect()
        gc.freeze()  # what is loaded stays: collections need not look through it again
        gc.set_threshold(*_COLLECT_AFTER)

    def _loaded(self, artefacts: Path, parameters: Mapping[str, str], example: Arrays) -> Stage:
        """The stage after one run, so that the first request does not pay for what is lazy."""
        stage = self.load_stage(self._model, artefacts, parameters)
        stage.run(example)
        return stage

    def example(self, config: Mapping[str, Any], parameters: Mapping[str, str]) -> Arrays:
        """One row of zeros for each input of the stage.

        Args:
            config: The model's.
            parameters: Of the config.
        """
        self._inputs = tuple(port["name"] for port in config["input"])
        return Packing.read(parameters).unpack(zeros(config))

    def connect(self, parameters: Mapping[str, str]) -> None:
        """Learn how Triton's tensors become the stage's.

        Args:
            parameters: Of the model's config.
        """
        self._wired = WiredStage(self._model, self._stage, Packing.read(parameters))

    def load_stage(self, model: Model, artefacts: Path, parameters: Mapping[str, str]) -> Stage:
        """The stage that this model runs.

        Args:
            model: Which model.
            artefacts: Folder of the release.
            parameters: Of the model's config.
        """
        return load_stage(model, artefacts, parameters, _store() if model.store else None)

    def metrics_module(self) -> Any:
        """Where a stage's measurements go: `triton_python_backend_utils`, or what looks like it."""
        return _triton()

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Answer the requests that Triton hands over together.

        Args:
            requests: Triton's requests.

        Returns:
            One of Triton's responses for each.
        """
        triton = _triton()
        batch = [_arrays(self._inputs, request, triton.get_input_tensor_by_name) for request in requests]
        responses = []
        for outcome in answer(self._model, self._wired, batch):
            if isinstance(outcome, str):
                responses.append(triton.InferenceResponse(error=triton.TritonError(outcome)))
            else:
                tensors = [triton.Tensor(name, np.ascontiguousarray(out)) for name, out in outcome.items()]
                responses.append(triton.InferenceResponse(tensors))
        return responses

    def finalize(self) -> None:
        """Stop what the stage runs in the background."""
        if self._publisher is not None:
            self._publisher.close()
        close_stages([self._stage])


class WiredStage:
    """A stage that takes and makes what travels between the models.

    Args:
        model: Whose stage it is.
        stage: The stage.
        packing: Of the model's tensors.
    """

    def __init__(self, model: Model, stage: Stage, packing: Packing) -> None:
        self._model = model
        self._stage = stage
        self._packing = packing
        self._optional = optional(model)

    def run(self, inputs: Arrays) -> Arrays:
        """Run the stage.

        Args:
            inputs: What came over the wires, [B, ...]; an optional one that is missing becomes its default.

        Returns:
            What goes over them, [B, ...].
        """
        unpacked = self._packing.unpack(inputs)
        for port in self._optional - unpacked.keys():
            unpacked[port] = default(self._model, port, rows(inputs))
        return self._packing.pack(self._stage.run(unpacked))


def optional(model: Model) -> set[str]:
    """Inputs of a model that a request may leave out."""
    return {port for port, name in model.inputs.items() if is_optional(name)}


def rows(inputs: Arrays) -> int:
    """How many users a request is for: its inputs' first dimension."""
    return len(next(iter(inputs.values())))


def default(model: Model, port: str, rows: int) -> np.ndarray:
    """What stands for an optional input that is missing, [rows, width]."""
    tensor = TENSORS[model.inputs[port]]
    # Only the ensemble's own inputs are optional, and their widths are numbers.
    return tensor.neutral(rows, tuple(map(int, tensor.shape)))


def answer(model: Model, stage: Stage, requests: Sequence[Arrays]) -> list[Outcome]:
    """Run a stage once for many requests.

    Args:
        model: Whose stage it is.
        stage: The stage.
        requests: Each request's inputs, [b, ...] with b of its own; an optional one may be missing.

    Returns:
        Each request's outputs, or its error. When the stage fails for all of them together it is run for
        each alone, so that one bad request fails no other.
    """
    if len(requests) == 1:
        return [outcome(model, stage.run, requests[0])]
    try:
        outputs = stage.run(_stacked(model, requests))
    except Exception:  # noqa: BLE001 - whose fault it is shows when each request runs alone
        return [outcome(model, stage.run, request) for request in requests]
    outcomes: list[Outcome] = []
    begin = 0
    for request in requests:  # `np.split` would take ten times as long over some twenty tensors
        end = begin + rows(request)
        outcomes.append({name: array[begin:end] for name, array in outputs.items()})
        begin = end
    return outcomes


def outcome(model: Model, run: Callable[[Arrays], Arrays], inputs: Arrays) -> Outcome:
    """What comes of one request.

    Args:
        model: Whose stage it is, for the one line that a client gets of an error.
        run: The stage's.
        inputs: The request's.
    """
    try:
        return run(inputs)
    except RecsysError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - a client gets one line; the traceback goes to the server's log
        _log.exception("%s failed", model.name)
        return f"{model.name}: failed ({type(error).__name__}). The server's log says more"


def _triton() -> Any:
    import triton_python_backend_utils as triton

    return triton


def _store() -> Store:
    # Imported here: eleven of the fourteen processes need neither the settings' library nor Valkey's.
    from recsys.serving.store import Store
    from recsys.settings import get_settings

    return Store.open(get_settings())


def _arrays(inputs: Sequence[str], request: Any, get: Callable[[Any, str], Any]) -> Arrays:
    """A request's inputs as arrays, those that it gives."""
    given = {name: get(request, name) for name in inputs}
    return {name: tensor.as_numpy() for name, tensor in given.items() if tensor is not None}


def _stacked(model: Model, requests: Sequence[Arrays]) -> Arrays:
    """All requests' inputs one above the other; one that some give and others do not is filled in."""
    names = dict.fromkeys(name for request in requests for name in request)
    return {
        name: np.concatenate(
            [
                request[name] if name in request else default(model, name, rows(request))
                for request in requests
            ]
        )
        for name in names
    }


def zeros(config: Mapping[str, Any]) -> Arrays:
    """One row of zeros for each input of a model."""
    dtypes = {"TYPE_INT32": np.int32, "TYPE_INT64": np.int64, "TYPE_FP32": np.float32}
    return {
        port["name"]: np.zeros((1, *(int(width) for width in port["dims"])), dtypes[port["data_type"]])
        for port in config["input"]
    }
