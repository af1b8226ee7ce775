"""Tensors that stay in the process while a reference to them travels from model to model.

Where all models share a process nothing need be copied from one to the next. What a model makes for the
requests that it met together is kept here whole, and each request goes on with a number that stands for its
rows. A model that meets the same requests again gets the very arrays; only where requests have met or parted
since are rows copied.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

import numpy as np

from recsys.errors import RecsysError
from recsys.serving.graph import Model
from recsys.serving.python_backend import Outcome, default, optional, outcome, rows
from recsys.serving.stage import Arrays, Stage
from recsys.serving.tensors import TENSORS
from recsys.serving.wires import READ_PARAMETER, READERS_PARAMETER

NOTHING: Final = 0
"""A reference that stands for zeros: what Triton warms a model up with."""

_ROW_BITS: Final = 20
_ROWS: Final = 1 << _ROW_BITS
_STALE_S: Final = 30.0
"""After which tensors are dropped whose request has ended elsewhere: another of its models failed."""


@dataclass
class _Made:
    """What one execution of a model made.

    Attributes:
        arrays: [rows, ...] by their names in the graph.
        references: int64 [rows], ascending by one.
        left: Rows that are still to be read, each by each of its readers.
        at_s: When it was made.
    """

    arrays: Arrays
    references: np.ndarray
    left: int
    at_s: float


class Relay:
    """The tensors of all requests under way; any thread may ask.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._made: dict[int, _Made] = {}
        self._last = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """How many executions' tensors are kept."""
        return len(self._made)

    def put(self, arrays: Arrays, rows: int, readers: int) -> np.ndarray:
        """Keep tensors until each row has been read by each reader.

        Args:
            arrays: [rows, ...] each, by their names in the graph; nobody may change them any more.
            rows: How many.
            readers: Models that will read each row once.

        Returns:
            int64 [rows, 1], what stands for each row.
        """
        now = self._clock()
        with self._lock:
            self._last += 1
            number = self._last
            first = number << _ROW_BITS
            references = np.arange(first, first + rows)
            self._made[number] = _Made(arrays, references, rows * readers, now)
            self._drop_stale(now)
        return references.reshape(-1, 1)

    def look(self, references: np.ndarray, names: Mapping[str, str]) -> Arrays:
        """Tensors of some rows, in the order of the references.

        Args:
            references: int64 [n, 1].
            names: Port -> name in the graph.

        Returns:
            [n, ...] by port; of rows that were made together the arrays themselves.

        Raises:
            RecsysError: What one of them stands for is not kept any more.
        """
        flat = references.reshape(-1)
        made = self._of(int(flat[0]))
        if len(flat) == len(made.references) and (flat == made.references).all():
            return {port: made.arrays[name] for port, name in names.items()}
        ends = [*(np.flatnonzero(np.diff(flat) != 1) + 1).tolist(), len(flat)]
        parts, begin = [], 0
        for end in ends:
            first = int(flat[begin])
            row = first & (_ROWS - 1)
            parts.append((self._of(first).arrays, slice(row, row + end - begin)))
            begin = end
        if len(parts) == 1:
            arrays, rows = parts[0]
            return {port: arrays[name][rows] for port, name in names.items()}
        return {
            port: np.concatenate([arrays[name][rows] for arrays, rows in parts])
            for port, name in names.items()
        }

    def done(self, references: np.ndarray) -> None:
        """One of their readers needs these rows no more.

        Args:
            references: int64 [n, 1].
        """
        rows = Counter((references.reshape(-1) >> _ROW_BITS).tolist())
        with self._lock:
            for number, count in rows.items():
                made = self._made.get(number)
                if made is not None:
                    made.left -= count
                    if made.left <= 0:
                        del self._made[number]

    def _of(self, reference: int) -> _Made:
        made = self._made.get(reference >> _ROW_BITS)
        if made is None or reference & (_ROWS - 1) >= len(made.references):
            raise RecsysError("request", "what its models made is not kept any more", "Ask again")
        return made

    def _drop_stale(self, now: float) -> None:
        # The oldest come first, and each execution adds one and looks at two.
        stale = [number for number, made in islice(self._made.items(), 2) if now - made.at_s > _STALE_S]
        for number in stale:
            del self._made[number]


RELAY: Final = Relay()
"""That of this process: one model's tensors are another's."""


@dataclass(frozen=True)
class References:
    """What of a model's inputs and outputs goes by reference.

    Attributes:
        read: Reference among the inputs -> port and name in the graph of the tensors that the model reads.
        zeros: One row of each of these, by port: what `NOTHING` stands for.
        made: The reference among the outputs; empty if there is none.
        readers: Models that read it.
        kept: Port and name in the graph of what the model makes for them.
    """

    read: Mapping[str, Mapping[str, str]]
    zeros: Arrays
    made: str
    readers: int
    kept: Mapping[str, str]

    @classmethod
    def of(cls, model: Model, parameters: Mapping[str, str]) -> References:
        """Those of a model, out of the parameters that `recsys.serving.wires` wrote."""
        read = json.loads(parameters.get(READ_PARAMETER, "{}"))
        zeros = {
            port: np.zeros((1, *shape), TENSORS[model.inputs[port]].dtype)
            for shapes in read.values()
            for port, shape in shapes.items()
        }
        names = {wire: {port: model.inputs[port] for port in shapes} for wire, shapes in read.items()}
        ((made, (readers, inner)),) = json.loads(parameters.get(READERS_PARAMETER, '{"": [0, []]}')).items()
        kept = {port: name for port, name in model.outputs.items() if name in inner}
        return cls(names, zeros, made, readers, kept)


class RelayedStage:
    """A stage whose tensors stay in the process.

    Args:
        model: Whose stage it is.
        stage: The stage.
        references: Of the model.
        relay: Where the tensors are kept.
    """

    def __init__(self, model: Model, stage: Stage, references: References, relay: Relay) -> None:
        self._model, self._stage = model, stage
        self._references, self._relay = references, relay
        self._optional = optional(model)

    def answer(self, inputs: Arrays, requests: Sequence[int]) -> list[tuple[int, Outcome]]:
        """Run the stage once for many requests.

        Args:
            inputs: One request's below the other's, [B, ...]: the request's own, of which an optional one
                that is missing becomes its default, and references int64 [B, 1].
            requests: How many of the rows are each one's.

        Returns:
            For so many requests what clients may ask for, [b, ...], and the reference to all else, int64
            [b, 1]; or why there is nothing. When the stage fails for all of them together it is run for each
            alone, so that one bad request fails no other.
        """
        try:
            given = self._given(inputs)
        except RecsysError as error:
            if len(requests) == 1:
                return [(1, str(error))]
            return [each for part, rows in _parts(inputs, requests) for each in self.answer(part, [rows])]
        for name in self._references.read:
            self._relay.done(inputs[name])
        if len(requests) == 1:
            return [(1, outcome(self._model, self._run, given))]
        try:
            return [(len(requests), self._run(given))]
        except Exception:  # noqa: BLE001 - whose fault it is shows when each request runs alone
            return [(1, outcome(self._model, self._run, part)) for part, _ in _parts(given, requests)]

    def _given(self, inputs: Arrays) -> Arrays:
        """All that the stage reads, [B, ...].

        Raises:
            RecsysError: What a reference stands for is not kept any more.
        """
        count, known = rows(inputs), self._references
        given = {name: array for name, array in inputs.items() if name not in known.read}
        for name, ports in known.read.items():
            if inputs[name][0, 0] == NOTHING:
                given |= {port: np.repeat(known.zeros[port], count, axis=0) for port in ports}
            else:
                given |= self._relay.look(inputs[name], ports)
        for port in self._optional - given.keys():
            given[port] = default(self._model, port, count)
        return given

    def _run(self, given: Arrays) -> Arrays:
        """What goes on, [B, ...]."""
        outputs, known = self._stage.run(given), self._references
        if not known.made:
            return outputs
        kept = {name: outputs[port] for port, name in known.kept.items()}
        answers = {port: array for port, array in outputs.items() if port not in known.kept}
        return answers | {known.made: self._relay.put(kept, rows(given), known.readers)}


def _parts(arrays: Arrays, requests: Sequence[int]) -> Iterator[tuple[Arrays, int]]:
    """Each request's rows, and how many they are."""
    begin = 0
    for count in requests:
        yield {name: array[begin : begin + count] for name, array in arrays.items()}, count
        begin += count
