"""What became of each evaluated row: `outcomes.npz` beside `evaluation.json`.

The evaluation writes it, the gate and the reports read it: intervals need rows, not means. Arrays of one part
have one length; a part that was not measured has length 0.

    part    array              dtype    meaning
    rows    row                uint64   key of the click (`row_keys`): the same in every release's file
            user               int64    whose it is (raw id); rows of one user are not independent
            chain_rank         int32    rank of the click in the final order, from 1; 0: not in the list
            retrieval_rank     int32    the same in the index's answer
            segment.<name>     int16    optional: the row's segment, an index into names.<name>
            names.<name>       str      names of the segments, any length
    pairs   pair_row           uint64   key of a click, or of a click with the item of its negative
            pair_user          int64
            pair_label         int8     1 clicked, 0 not
            pair_score         float32  the exported ranker's score
            pair_probability   float32  optional: the probability that it states, where it states one
    items   item_id            int64    the catalogue, in the release's order
            retrieved          int64    rows whose candidates hold the item
            shown              int64    rows whose first ten of the final order hold it

Ranks are those of known users; what is measured besides (anonymous users, baselines) stays in the JSON.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from recsys import schema
from recsys.errors import BadData
from recsys.models.metrics import MISSED

OUTCOMES_FILE: Final = "outcomes.npz"

_KEY_COLUMNS: Final = ("user_id", "item_id", "timestamp")
_PARTS: Final[dict[str, dict[str, np.dtype]]] = {
    "rows": {
        "row": np.dtype("uint64"),
        "user": np.dtype("int64"),
        "chain_rank": np.dtype("int32"),
        "retrieval_rank": np.dtype("int32"),
    },
    "pairs": {
        "pair_row": np.dtype("uint64"),
        "pair_user": np.dtype("int64"),
        "pair_label": np.dtype("int8"),
        "pair_score": np.dtype("float32"),
    },
    "items": {
        "item_id": np.dtype("int64"),
        "retrieved": np.dtype("int64"),
        "shown": np.dtype("int64"),
    },
}
_OPTIONAL: Final = {"pair_probability": ("pairs", np.dtype("float32"))}


@dataclass(frozen=True)
class Outcomes:
    """The arrays of the module's table.

    Attributes:
        arrays: By name; those of `rows`, `pairs` and `items` always, `pair_probability` where there is one.
        segments: Name to (int16 [rows], names of its values).
    """

    arrays: Mapping[str, np.ndarray]
    segments: Mapping[str, tuple[np.ndarray, tuple[str, ...]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for part, columns in _PARTS.items():
            lengths = {len(self.arrays[name]) for name in columns}
            lengths |= {
                len(self.arrays[name]) for name, (of, _) in _OPTIONAL.items() if of == part and name in self
            }
            if part == "rows":
                lengths |= {len(codes) for codes, _ in self.segments.values()}
            if len(lengths) > 1:
                raise ValueError(f"arrays of {part} differ in length: {sorted(lengths)}")

    def __contains__(self, name: str) -> bool:
        return name in self.arrays

    def __getitem__(self, name: str) -> np.ndarray:
        return self.arrays[name]

    @classmethod
    def of(
        cls,
        segments: Mapping[str, tuple[np.ndarray, tuple[str, ...]]] | None = None,
        **arrays: np.ndarray,
    ) -> Outcomes:
        """Outcomes of these arrays in the table's dtypes; parts that are left out are empty.

        Ranks may be those of `recsys.models.metrics`, where `MISSED` says that there is none.

        Raises:
            ValueError: Arrays of one part differ in length, or an array is not in the table.
        """
        known = {name: dtype for columns in _PARTS.values() for name, dtype in columns.items()}
        known |= {name: dtype for name, (_, dtype) in _OPTIONAL.items()}
        if unknown := sorted(set(arrays) - set(known)):
            raise ValueError(f"no such arrays: {', '.join(unknown)}")
        found = {name: np.zeros(0, known[name]) for columns in _PARTS.values() for name in columns}
        for name, values in arrays.items():
            ranked = np.where(values == MISSED, 0, values) if name.endswith("_rank") else values
            found[name] = np.asarray(ranked).astype(known[name])
        return cls(found, segments or {})

    def save(self, folder: Path) -> Path:
        """Writes `outcomes.npz` into an existing folder; the file."""
        extra = {f"segment.{name}": codes.astype(np.int16) for name, (codes, _) in self.segments.items()}
        extra |= {
            f"names.{name}": np.array(names, dtype=np.str_) for name, (_, names) in self.segments.items()
        }
        path = folder / OUTCOMES_FILE
        np.savez_compressed(path, **self.arrays, **extra)
        return path

    @classmethod
    def load(cls, folder: Path) -> Outcomes:
        """Reads what `save` wrote.

        Raises:
            BadData: There is no such file, or it does not hold what it should.
        """
        path = folder / OUTCOMES_FILE
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            names = [name.removeprefix("segment.") for name in arrays if name.startswith("segment.")]
            segments = {
                name: (arrays.pop(f"segment.{name}"), tuple(arrays.pop(f"names.{name}").tolist()))
                for name in names
            }
            return cls.of(segments, **arrays)
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise BadData(str(path), f"cannot be read ({error})", "Evaluate the release again") from error


def row_keys(frame: pd.DataFrame) -> np.ndarray:
    """A key of each interaction, from user, item and time: equal for the same row in any sample.

    Args:
        frame: Columns user_id, item_id and timestamp.

    Returns:
        uint64 [rows]; the mixing function is splitmix64's (Steele, Lea and Flood, 2014).
    """
    key = np.zeros(len(frame), np.uint64)
    for name in _KEY_COLUMNS:
        key = _mixed(key + frame[name].to_numpy(np.int64).astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15))
    return key


def item_counts(lists: np.ndarray, items: int) -> np.ndarray:
    """How many lists hold each item.

    Args:
        lists: Item indexes [rows, K], an item at most once a row; negative entries are no items.
        items: Size of the catalogue.

    Returns:
        int64 [items].
    """
    return np.bincount(lists[lists > schema.NO_ITEM].ravel(), minlength=items).astype(np.int64)


def _mixed(x: np.ndarray) -> np.ndarray:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: np.ndarray = x ^ (x >> np.uint64(31))
    return mixed
