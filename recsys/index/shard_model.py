"""One part of a catalogue's index as a model of Triton's: what runs in it, and its name and description."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from recsys.errors import BadUse
from recsys.index.index import Index
from recsys.index.sharded import FOLDER, SIZES_FILE, even_sizes

QUERIES, TOP, ALLOWED, ITEMS, SCORES = "queries", "top", "allowed", "items", "scores"
"""Names of the model's tensors; see `answer`."""

MODEL_PY: Final = '''"""Hands Triton's requests to one part of the index."""

from recsys.index.shard_model import TritonPythonModel  # noqa: F401
'''
MOST_ROWS: Final = 64
"""Queries of one request."""


class TritonPythonModel:
    """What Triton makes one of; the method names are Triton's."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Load the part of the release whose number is the model's version.

        Args:
            args: Triton's: model_version and model_config, a JSON text.

        Raises:
            BadData: A file is missing or damaged; Triton then refuses the model.
        """
        parameters = json.loads(args["model_config"])["parameters"]
        release = Path(parameters["releases"]["string_value"]) / args["model_version"]
        self._index = Index.load(release / FOLDER / parameters["shard"]["string_value"])

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Answer each request by itself.

        Args:
            requests: Triton's requests.
        """
        import triton_python_backend_utils as triton

        responses = []
        for request in requests:
            given = {tensor.name(): tensor.as_numpy() for tensor in request.inputs()}
            try:
                found = answer(self._index, given)
            except BadUse as error:
                responses.append(triton.InferenceResponse(error=triton.TritonError(str(error))))
            else:
                tensors = [triton.Tensor(name, np.ascontiguousarray(array)) for name, array in found.items()]
                responses.append(triton.InferenceResponse(tensors))
        return responses


def answer(index: Index, given: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Search, or the scores of given items.

    Args:
        index: The part.
        given: queries float32 [B, width]; top int32 [B, 1], how many to find; optionally allowed uint8
            [B, ceil(n / 8)], a bit for each item of the part, lowest first; items int64 [B, S] instead of a
            search, `NO_ITEM` at pads.

    Returns:
        scores float32 [B, k or S], items int64 alike.

    Raises:
        BadUse: A shape does not fit the part.
    """
    queries, items = given[QUERIES], given.get(ITEMS)
    if items is not None:
        if items.max(initial=-1) >= index.meta.items:
            raise BadUse(f"item {items.max()}", f"this part holds {index.meta.items}", "Ask the right part")
        return {SCORES: index.inner_products(queries, items), ITEMS: items}
    allowed = None
    if ALLOWED in given:
        count = index.meta.items
        if given[ALLOWED].shape[1] != -(-count // 8):
            raise BadUse("mask", f"does not fit the {count} items of this part", "Ask the right part")
        allowed = np.unpackbits(given[ALLOWED], axis=1, count=count, bitorder="little").astype(np.bool_)
    scores, found = index.search(queries, int(given[TOP].max()), allowed)
    return {SCORES: scores, ITEMS: found}


def model_name(shard: int, shards: int) -> str:
    """What Triton calls a part: a server that holds another one, or one of another number, has no such model.

    Args:
        shard: Which part, from 0.
        shards: How many there are.
    """
    return f"index_part_{shard}_of_{shards}"


def config(releases: str, numbers: Sequence[int], shard: int, shards: int, width: int) -> str:
    """`config.pbtxt` of the model.

    Args:
        releases: Folder of releases.
        numbers: The releases whose parts answer, which are the model's versions.
        shard: Which part.
        shards: How many there are.
        width: Numbers of a vector.
    """
    versions = ", ".join(map(str, sorted(numbers)))
    return f'''name: "{model_name(shard, shards)}"
backend: "python"
max_batch_size: {MOST_ROWS}
input [
  {{ name: "{QUERIES}", data_type: TYPE_FP32, dims: [ {width} ] }},
  {{ name: "{TOP}", data_type: TYPE_INT32, dims: [ 1 ] }},
  {{ name: "{ALLOWED}", data_type: TYPE_UINT8, dims: [ -1 ], optional: true }},
  {{ name: "{ITEMS}", data_type: TYPE_INT64, dims: [ -1 ], optional: true }}
]
output [
  {{ name: "{SCORES}", data_type: TYPE_FP32, dims: [ -1 ] }},
  {{ name: "{ITEMS}", data_type: TYPE_INT64, dims: [ -1 ] }}
]
instance_group [ {{ kind: KIND_CPU, count: 1 }} ]
version_policy {{ specific {{ versions: [ {versions} ] }} }}
parameters {{ key: "releases", value: {{ string_value: "{releases}" }} }}
parameters {{ key: "shard", value: {{ string_value: "{shard}" }} }}
'''


def sizes_of(release: Path, shards: int) -> list[int]:
    """Items of each part, as they were split or else as they would be.

    Args:
        release: Folder of the release; it needs no part itself, and no index but its description.
        shards: How many parts there are.

    Raises:
        BadUse: It was split into another number of parts.
    """
    known = release / FOLDER / SIZES_FILE
    sizes = json.loads(known.read_text()) if known.is_file() else None
    sizes = sizes or even_sizes(Index.describe(release).items, shards)
    if len(sizes) != shards:
        raise BadUse(
            f"{shards} index parts",
            f"release {release.name} has {len(sizes)}",
            "Name the server of each part",
        )
    return sizes
