"""One part of a catalogue's index as a model of Triton's: the files it needs, and what runs in it.

    python -m recsys.index.shard_model --release var/releases/3 --shard 0 --shards 2 --to DIR

writes the first half of release 3's index and the model repository that serves it. On the machine for it

    tritonserver --model-repository=DIR/models

then answers for that half, and a Triton whose RECSYS_SERVING__INDEX_SHARDS names its address asks it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from recsys.errors import BadUse
from recsys.index.index import Index, build
from recsys.index.sharded import FOLDER, SIZES_FILE, even_sizes

MODEL: Final = "index_shard"
QUERIES, TOP, ALLOWED, ITEMS, SCORES = "queries", "top", "allowed", "items", "scores"
"""Names of the model's tensors; see `answer`."""

_MODEL_PY: Final = '''"""Hands Triton's requests to one part of the index."""

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


def config(releases: str, number: int, shard: int, width: int) -> str:
    """`config.pbtxt` of the model.

    Args:
        releases: Folder of releases.
        number: The release, which becomes the model's version.
        shard: Which part.
        width: Numbers of a vector.
    """
    return f'''name: "{MODEL}"
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
version_policy {{ specific {{ versions: [ {number} ] }} }}
parameters {{ key: "releases", value: {{ string_value: "{releases}" }} }}
parameters {{ key: "shard", value: {{ string_value: "{shard}" }} }}
'''


def make_server(folder: Path, release: Path, shard: int, shards: int) -> Path:
    """Write what a part's server needs: the part, and a model repository.

    Args:
        folder: Where; it may be moved to another machine's same path.
        release: Folder of the release, named by its number; its index may be in parts already.
        shard: Which part, from 0.
        shards: How many there are.

    Returns:
        The model repository.

    Raises:
        BadUse: There is no such part.
        BadData: The release's index is missing or damaged.
    """
    sizes = sizes_of(release, shards)
    if not 0 <= shard < shards:
        raise BadUse(f"index part {shard}", f"there are {shards}, from 0", "Name one of them")
    own, part = release / FOLDER / str(shard), folder / "releases" / release.name / FOLDER / str(shard)
    if own.is_dir():
        built = Index.load(own)
    else:
        whole = Index.load(release)
        vectors = whole.faiss_index.reconstruct_n(sum(sizes[:shard]), sizes[shard])
        built = build(vectors, whole.meta.kind)
    part.mkdir(parents=True, exist_ok=True)
    built.save(part)
    models = folder / "models"
    version = models / MODEL / release.name
    version.mkdir(parents=True, exist_ok=True)
    (version / "model.py").write_text(_MODEL_PY, encoding="utf-8")
    text = config(str((folder / "releases").resolve()), int(release.name), shard, built.meta.width)
    (models / MODEL / "config.pbtxt").write_text(text, encoding="utf-8")
    return models


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


def main(arguments: Sequence[str] | None = None) -> None:
    """`python -m recsys.index.shard_model`."""
    parser = argparse.ArgumentParser(
        prog="python -m recsys.index.shard_model", description="A part's server."
    )
    parser.add_argument("--release", type=Path, required=True, help="its folder, <releases>/<number>")
    parser.add_argument("--shard", type=int, required=True, help="which part, from 0")
    parser.add_argument("--shards", type=int, required=True, help="how many parts")
    parser.add_argument("--to", type=Path, required=True, help="the folder to fill")
    options = parser.parse_args(arguments)
    make_server(options.to, options.release, options.shard, options.shards)


if __name__ == "__main__":
    main()
