"""The lookup tables of a catalogue: one image and one text vector an item."""

from __future__ import annotations

import hashlib
import json
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsys.data.dataset import Dataset
from recsys.encoders.encoder import Encoder, make_encoder
from recsys.encoders.fitted import FittedEncoder
from recsys.encoders.images import content_hash, read_images
from recsys.encoders.texts import item_texts
from recsys.schema import EMBEDDING_DIM, IMAGE_EMBEDDINGS_FILE, TEXT_EMBEDDINGS_FILE
from recsys.settings import Settings

IMAGE_MISSING_FILE = "image_missing.npy"
FAULTS_FILE = "image_faults.json"
_FORMAT = 1  # of the cached files and of what goes into their key
_BATCH = 512  # images held in memory at once

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class MultimodalTables:
    """Vectors of n items, in the order they were given.

    Rows have length 1 and are not whitened (`recsys.encoders.projection`). An item without a readable image
    has the mean of the others in its row, shorter than 1, and its flag set; if there is no image at all the
    table is zero. With fewer items than 64 dimensions the last columns are zero.

    Attributes:
        image: float32 [n, 64].
        text: float32 [n, 64].
        image_missing: bool [n], no image, or one that cannot be read.
        image_faults: What is wrong with images that are there, by item id.
        folder: Where the fitted encoders lie (`encode_items`).
    """

    image: Floats
    text: Floats
    image_missing: NDArray[np.bool_]
    image_faults: dict[int, str]
    folder: Path

    def save(self, folder: Path) -> None:
        """Copies tables and fitted encoders into a folder, under the release's file names.

        Args:
            folder: Made when missing.
        """
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)

    @classmethod
    def load(cls, folder: Path) -> MultimodalTables:
        """Reads what `save` wrote.

        Args:
            folder: Where it was saved.
        """
        faults = json.loads((folder / FAULTS_FILE).read_text(encoding="utf-8"))
        return cls(
            np.load(folder / IMAGE_EMBEDDINGS_FILE),
            np.load(folder / TEXT_EMBEDDINGS_FILE),
            np.load(folder / IMAGE_MISSING_FILE),
            {int(item): fault for item, fault in faults.items()},
            folder,
        )


def encode_catalogue(dataset: Dataset, settings: Settings, cache_dir: Path) -> MultimodalTables:
    """Fits the encoders that the settings name on a data set's items, and encodes these.

    Args:
        dataset: Items, descriptions and images; there may be no images at all.
        settings: `encoders` and the seed.
        cache_dir: Results are kept here under a hash of all texts, all images' bytes and the encoders'
            identities; whatever is there under another hash is left alone.

    Returns:
        One row an item, in the order of items.parquet.

    Raises:
        BadUse: An encoder is unknown, or its packages or weights are missing.
    """
    ids = dataset.items["item_id"].to_numpy(np.int64)
    texts = item_texts(dataset.items, dataset.descriptions)
    paths = [dataset.image_path(item) for item in ids.tolist()]
    seed = settings.training.seed
    text_encoder = make_encoder(settings.encoders.text, "text", seed)
    image_encoder = make_encoder(settings.encoders.image, "image", seed)
    folder = cache_dir / _key(ids, texts, paths, [text_encoder, image_encoder])
    if not folder.is_dir():
        text_encoder.fit(texts)
        vectors = text_encoder.encode(texts)
        text = FittedEncoder.fit("text", text_encoder, vectors)
        image_vectors, missing, faults = _image_vectors(image_encoder, paths)
        image = FittedEncoder.fit("image", image_encoder, image_vectors)
        tables = (
            _with_typical(image, image.projection.apply(image_vectors), missing),
            text.projection.apply(vectors),
        )
        _store(
            folder, tables, missing, {int(ids[row]): fault for row, fault in faults.items()}, [image, text]
        )
    return MultimodalTables.load(folder)


def encode_items(
    folder: Path, items: pd.DataFrame, descriptions: pd.DataFrame | None, paths: Sequence[Path | None]
) -> MultimodalTables:
    """Encodes new items with what was fitted on a catalogue: nothing is learned, the space stays the same.

    Args:
        folder: Of the fitted encoders: a release, or `MultimodalTables.folder`.
        items: item_id and any of title, category_l1_name, category_l2_name; n rows.
        descriptions: item_id and product_description, or None.
        paths: n image files; None where there is none.

    Returns:
        One row an item, in the order of `items`.

    Raises:
        BadData: The fitted encoders cannot be read.
        BadUse: Their packages are not installed.
    """
    text, image = FittedEncoder.load(folder, "text"), FittedEncoder.load(folder, "image")
    vectors, missing, faults = _image_vectors(image.encoder, paths)
    ids = items["item_id"].to_numpy(np.int64)
    return MultimodalTables(
        _with_typical(image, image.projection.apply(vectors), missing),
        text.encode(item_texts(items, descriptions)),
        missing,
        {int(ids[row]): fault for row, fault in faults.items()},
        folder,
    )


def _image_vectors(
    encoder: Encoder, paths: Sequence[Path | None]
) -> tuple[Floats, NDArray[np.bool_], dict[int, str]]:
    """Raw vectors of the images that can be read, the mask [n] of the others, and faults by row."""
    missing = np.ones(len(paths), dtype=bool)
    parts = [encoder.encode([])] if not any(paths) else []
    faults: dict[int, str] = {}
    for start in range(0, len(paths), _BATCH):
        images, broken = read_images(paths[start : start + _BATCH], encoder.image_size)
        faults.update({start + row: fault for row, fault in broken.items()})
        missing[[start + row for row in images]] = False
        if images:
            parts.append(encoder.encode(list(images.values())))
    return np.concatenate(parts or [encoder.encode([])]), missing, faults


def _with_typical(fitted: FittedEncoder, rows: Floats, missing: NDArray[np.bool_]) -> Floats:
    table = np.empty((len(missing), EMBEDDING_DIM), dtype=np.float32)
    table[~missing] = rows
    table[missing] = fitted.typical
    return table


def _key(
    ids: NDArray[np.int64], texts: Sequence[str], paths: Sequence[Path | None], encoders: Sequence[Encoder]
) -> str:
    digest = hashlib.sha256(f"{_FORMAT} {EMBEDDING_DIM}".encode())
    for encoder in encoders:
        digest.update(encoder.identity().encode() + b"\n")
    digest.update(ids.astype("<i8").tobytes())
    digest.update(json.dumps(list(texts)).encode())
    for path in paths:
        digest.update(content_hash(path) or b"no image")
    return digest.hexdigest()


def _store(
    folder: Path,
    tables: tuple[Floats, Floats],
    missing: NDArray[np.bool_],
    faults: dict[int, str],
    fitted: Sequence[FittedEncoder],
) -> None:
    """Writes a folder that appears whole or not at all; one that is already there is as good."""
    hidden = folder.with_name(f".{uuid.uuid4().hex}")
    hidden.mkdir(parents=True)
    np.save(hidden / IMAGE_EMBEDDINGS_FILE, tables[0])
    np.save(hidden / TEXT_EMBEDDINGS_FILE, tables[1])
    np.save(hidden / IMAGE_MISSING_FILE, missing)
    (hidden / FAULTS_FILE).write_text(json.dumps(faults), encoding="utf-8")
    for encoder in fitted:
        encoder.save(hidden)
    try:
        hidden.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
        shutil.rmtree(hidden)
