"""Kinds of index measured against the exact answer, and how costs grow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recsys.bench import vectors
from recsys.bench.growth import exponent
from recsys.bench.index import IndexOptions, growth, measure
from recsys.bench.index_tables import filtered_rows, frontier_rows, growth_rows, index_rows
from recsys.bench.vectors import mask_of, users_of, write_items
from recsys.errors import BadUse, RecsysError


def test_each_kind_is_measured_at_each_size() -> None:
    notes: list[str] = []
    options = IndexOptions(sizes=(400, 800), kinds=("flat", "half", "auto"), top=50, users=40)
    document = measure(options, notes.append)
    assert [(run["kind"], run["items"]) for run in document["runs"]] == [
        (kind, size) for size in (400, 800) for kind in ("flat", "half", "auto")
    ]
    for run in document["runs"]:
        assert run["recall"] == 1.0 if run["chosen"] == "flat" else run["recall"] > 0.95
        assert 0 < run["least_ms"] <= run["p50_ms"]
        assert run["index_mb"] >= run["items"] * 64 * (2 if run["chosen"] == "half" else 4) / 1.01e6
    assert [one["kind"] for one in document["growth"]] == ["flat", "half"]
    columns, rows = index_rows(document["runs"])
    assert all(len(row) == len(columns) for row in rows)
    assert len(growth_rows(document["growth"])[1]) == 2
    assert "400 items: flat" in notes


def test_the_frontier_and_masks_are_measured() -> None:
    options = IndexOptions(
        sizes=(900,), kinds=("flat", "pq"), top=50, users=20, shares=(0.5, 0.01), masked_users=5
    )
    flat, codes = measure(options, lambda _: None)["runs"]
    assert flat["frontier"] == []
    assert [one["effort"]["refine_factor"] for one in codes["frontier"]] == [2, 4, 8, 16]
    assert all(one["cpu_ms"] > 0 and 0.5 < one["recall"] <= 1 for one in codes["frontier"])
    for run in (flat, codes):
        assert [one["share"] for one in run["filtered"]] == [0.5, 0.01]
        assert run["filtered"][0]["allowed"] > 300
        assert all(one["recall"] > 0.95 for one in run["filtered"])
    columns, rows = frontier_rows([flat, codes])
    assert all(len(row) == len(columns) for row in rows)
    columns, rows = filtered_rows([flat, codes])
    assert [row[2] for row in rows] == ["50.0%", "1.0%"] * 2
    assert all(len(row) == len(columns) for row in rows)


def test_an_index_that_was_left_is_only_asked(tmp_path: Path) -> None:
    options = IndexOptions(sizes=(900,), kinds=("pq",), top=50, users=20, folder=tmp_path)
    notes: list[str] = []
    first, again = (measure(options, notes.append)["runs"][0] for _ in range(2))
    assert notes == ["900 items: vectors, and what the exact search finds", "900 items: pq", "900 items: pq"]
    (folder,) = tmp_path.iterdir()
    (folder / "pq" / "index.faiss").unlink()
    with pytest.raises(RecsysError):
        measure(options, notes.append)
    built = (
        "chosen",
        "build_s",
        "build_cpu_s",
        "build_peak_mb",
        "index_mb",
        "parameters",
        "frontier",
        "recall",
    )
    assert [again[name] for name in built] == [first[name] for name in built]
    other = replace(options, floor=0.9)
    assert measure(other, notes.append)["runs"][0]["recall"] > 0.85
    assert notes[-2:] == notes[:2]


def test_a_mask_is_half_anywhere_and_half_together(tmp_path: Path) -> None:
    items = write_items(tmp_path / "items.npy", 20_000)
    allowed = mask_of(items, 0.1)
    assert 0.085 < allowed.mean() < 0.11
    assert np.array_equal(allowed, mask_of(items, 0.1))
    anywhere = items[np.random.default_rng(0).random(len(items)) < 0.1]
    assert np.linalg.norm(items[allowed].mean(axis=0)) > 1.5 * np.linalg.norm(anywhere.mean(axis=0))


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(BadUse, match="tree"):
        measure(IndexOptions(kinds=("tree",)), print)
    with pytest.raises(BadUse, match="round"):
        measure(IndexOptions(shape="round"), print)


def test_growth_is_the_exponent() -> None:
    sizes = [10, 100, 1_000]
    assert exponent(sizes, [3 * size**1.5 for size in sizes]) == 1.5
    assert exponent(sizes, [7, 7, 7]) == 0
    assert exponent(sizes, [0, 1, 2]) is None
    assert exponent([10, 10], [1, 2]) is None
    assert growth([{"kind": "flat", "items": 10, "cpu_ms": 1, "build_cpu_s": 1, "index_mb": 1}]) == []


def test_the_same_seed_gives_the_same_items_and_no_block_repeats_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vectors, "_BLOCK", 2_000)
    one, again = (write_items(tmp_path / f"{name}.npy", 3_000) for name in "ab")
    assert np.array_equal(one, again)
    assert np.isfinite(one).all()
    assert not np.isin(one[:2_000, 0], one[2_000:, 0]).any()


def test_learned_vectors_lie_in_clusters_and_gaussian_ones_do_not(tmp_path: Path) -> None:
    nearest = {}
    for shape in ("clustered", "gaussian"):
        items = write_items(tmp_path / f"{shape}.npy", 4_000, shape=shape)
        unit = items / np.linalg.norm(items, axis=1, keepdims=True)
        alike = unit[:200] @ unit.T
        alike[np.arange(200), np.arange(200)] = -1
        nearest[shape] = alike.max(axis=1).mean()
    assert nearest["clustered"] > nearest["gaussian"] + 0.15
    assert users_of(items, 7).shape == (7, 64)
