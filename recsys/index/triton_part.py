"""A part of the index that another machine's Triton holds, asked over gRPC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from tritonclient.grpc import InferenceServerClient, InferInput
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from recsys.errors import Unavailable
from recsys.index.scatter import Scattered
from recsys.index.shard_model import ALLOWED, ITEMS, MOST_ROWS, QUERIES, SCORES, TOP, model_name
from recsys.serving.breaker import Breaker
from recsys.settings import ServingSettings

_REQUIRE_S: Final = 5.0
_RECONNECT_MS: Final = 1_000
"""gRPC would wait up to two minutes before it tries a server again that was away."""


class TritonPart:
    """One Triton server with one part of the catalogue; see `recsys.index.scatter.Part`.

    After two calls in a row without an answer it is left alone and tried again by itself, so that a server
    that hangs costs two requests their time limit and not all.

    Args:
        address: `host:port` of its gRPC service.
        timeout_s: Time limit of a call.
        version: The release whose part is to answer; whichever there is when empty.
        model: See `recsys.index.shard_model.model_name`.
    """

    def __init__(
        self, address: str, timeout_s: float, version: str = "", model: str = model_name(0, 1)
    ) -> None:
        self._address = address
        self._model = model
        self._timeout_s = timeout_s
        self._version = version
        options = [("grpc.max_reconnect_backoff_ms", _RECONNECT_MS)]
        self._client = InferenceServerClient(address, channel_args=options)
        self._breaker = Breaker()

    def search(
        self, queries: np.ndarray, k: int, allowed: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The k of its items with the greatest inner product; see `Index.search`.

        Raises:
            Unavailable: The server did not answer in time, or cannot.
        """
        tensors: dict[str, np.ndarray] = {
            QUERIES: queries.astype(np.float32),
            TOP: np.full((len(queries), 1), k, np.int32),
        }
        if allowed is not None:
            each = np.broadcast_to(allowed, (len(queries), allowed.shape[-1]))
            tensors[ALLOWED] = np.packbits(each, axis=1, bitorder="little")
        return self._breaker.call(self._ask_in_turn, tensors)

    def inner_products(self, queries: np.ndarray, items: np.ndarray) -> np.ndarray:
        """The scores that given items of its own have; see `Index.inner_products`.

        Raises:
            Unavailable: The server did not answer in time, or cannot.
        """
        tensors: dict[str, np.ndarray] = {
            QUERIES: queries.astype(np.float32),
            TOP: np.zeros((len(queries), 1), np.int32),
            ITEMS: items.astype(np.int64),
        }
        return self._breaker.call(self._ask_in_turn, tensors)[0]

    def require(self) -> None:
        """Refuse a server that does not hold this part of the release.

        Raises:
            Unavailable: It does not, or does not answer in time.
        """
        try:
            held = self._client.is_model_ready(self._model, self._version, client_timeout=self._timeout_s)
        except InferenceServerException as error:
            raise self._unavailable(error) from error
        if not held:
            cause = f"does not hold {self._model} of release {self._version}"
            raise Unavailable(f"index part at {self._address}", cause, "Bring it there, then promote")

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _ask_in_turn(self, tensors: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """As many requests as the server's bound on rows makes of it."""
        turns = range(0, len(tensors[QUERIES]), MOST_ROWS)
        answers = [
            self._ask({name: array[at : at + MOST_ROWS] for name, array in tensors.items()}) for at in turns
        ]
        scores, items = zip(*answers, strict=True)
        return np.concatenate(scores), np.concatenate(items)

    def _ask(self, tensors: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        ports = []
        for name, array in tensors.items():
            port = InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
            port.set_data_from_numpy(np.ascontiguousarray(array))
            ports.append(port)
        try:
            found: Any = self._client.infer(
                self._model, ports, model_version=self._version, client_timeout=self._timeout_s
            )
        except InferenceServerException as error:
            raise self._unavailable(error) from error
        return found.as_numpy(SCORES), found.as_numpy(ITEMS)

    def _unavailable(self, error: InferenceServerException) -> Unavailable:
        cause = " ".join(str(error.message()).split()) or str(error.status())
        return Unavailable(f"index part at {self._address}", cause, "See the log of its server")


def scattered(
    addresses: Sequence[str], sizes: Sequence[int], timeout_s: float, version: str = ""
) -> Scattered:
    """An index whose parts lie on other machines.

    Args:
        addresses: `host:port` of the gRPC service of each part's server, in the catalogue's order.
        sizes: Items of each part.
        timeout_s: Time limit of a call to each.
        version: The release whose parts are to answer.
    """
    return Scattered(_parts(addresses, timeout_s, version), sizes)


def require_parts(serving: ServingSettings, number: int) -> None:
    """Refuse to serve a release of which a part is not on its server; does nothing where there are no parts.

    Args:
        serving: Where the parts are.
        number: The release.

    Raises:
        Unavailable: A server does not hold its part of it, or does not answer.
    """
    addresses = serving.index_shards.split(",") if serving.index_shards else []
    for part in _parts(addresses, _REQUIRE_S, str(number)):
        try:
            part.require()
        finally:
            part.close()


def _parts(addresses: Sequence[str], timeout_s: float, version: str) -> list[TritonPart]:
    count = len(addresses)
    return [
        TritonPart(address, timeout_s, version, model_name(at, count)) for at, address in enumerate(addresses)
    ]
