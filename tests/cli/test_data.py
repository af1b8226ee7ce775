from __future__ import annotations

import inspect
import json
from pathlib import Path

import pandas as pd
import pytest
from factories.shop import make_shop


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    make_shop(folder, users=20, items=30, rows=100)
    return folder


def test_describe_counts(run, shop: Path) -> None:
    found = json.loads(run("data", "describe", shop, "--json").out)
    assert (found["users"], found["items"], found["interactions"]) == (20, 30, 1_200)
    assert found["days"] == list(range(12))
    assert found["first"].startswith("2025-08-01T")


def test_describe_as_a_table(run, shop: Path) -> None:
    lines = run("data", "describe", shop).out.splitlines()
    assert any(line.split() == ["interactions", "1,200"] for line in lines)
    assert any(line.split() == ["days", "0", "to", "11"] for line in lines)


def test_validate_counts_what_it_set_aside(run, shop: Path, tmp_path: Path) -> None:
    users = pd.read_parquet(shop / "users.parquet")
    users.loc[0, "age"] = -5
    users.to_parquet(shop / "users.parquet")
    outcome = run("data", "validate", shop, "--out", tmp_path / "clean", "--json")
    document = json.loads(outcome.out)
    assert document["tables"]["users.parquet"]["kept"] == 19
    assert sum(document["tables"]["users.parquet"]["quarantined"].values()) == 1
    table = run("data", "validate", shop, "--out", tmp_path / "clean").out
    assert "users.parquet" in table
    assert (tmp_path / "clean" / "quarantine.parquet").is_file()


def test_a_generated_shop_is_valid(run, tmp_path: Path) -> None:
    shop = tmp_path / "made"
    made = run(
        "data", "generate", "--out", shop, "--users", 30, "--items", 40, "--rows", 1_500, "--no-images"
    )
    assert (made.code, made.out) == (0, f"{shop}\n")
    document = json.loads(run("data", "validate", shop, "--out", tmp_path / "clean", "--json").out)
    assert document["quarantined"] == 0


def test_a_folder_that_is_not_empty_is_not_written_over(run, shop: Path) -> None:
    outcome = run("data", "generate", "--out", shop, "--users", 30, "--items", 40, "--rows", 1_500)
    assert outcome.code == 2
    assert str(shop) in outcome.err.splitlines()[-1]


def test_the_defaults_are_those_of_the_library() -> None:
    from recsys.cli.data import generate as command
    from recsys.data.synthetic import generate

    ours, theirs = (inspect.signature(function).parameters for function in (command, generate))
    for name in ("users", "items", "rows", "days", "seed", "images"):
        assert ours[name].default == theirs[name].default
