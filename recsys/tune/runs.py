"""One training and its evaluation in processes of their own, kept under what they were made from."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from recsys.kubeflow.recipe import recipe_of, settings_of
from recsys.models.outcomes import Outcomes
from recsys.release.digest import code_sha256, json_sha256, tree_sha256
from recsys.settings import Settings
from recsys.tune.apart import apart

_DOCUMENT: Final = "evaluation.json"
_TOWERS: Final = "towers.json"
_WIDER: Final = {"popularity": ("standard", "all"), "standard": ("all",)}


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        settings: What it was trained with.
        document: Its evaluation, as `recsys evaluate --json` prints it, with "seconds" of the training.
        outcomes: What became of each row.
    """

    settings: Settings
    document: dict[str, Any]
    outcomes: Outcomes


@dataclass(frozen=True)
class Bench:
    """Where runs are made and kept.

    Attributes:
        data: A validated data set.
        folder: Runs are kept below it; none is made twice from the same data, recipe and code.
        train: Days to train on; empty for the data set's own split.
        baselines: Measured beside each run.
    """

    data: Path
    folder: Path
    train: tuple[int, ...] = ()
    baselines: str = "standard"

    def run(self, settings: Settings, progress: Callable[[str], None] = lambda _: None) -> Run:
        """Trains and measures, or gives what is there; measured beside more baselines is as good.

        Args:
            settings: Recipe, seed and sample sizes.
            progress: Told what is being done.

        Raises:
            BadUse: There is no such baseline; said before anything is trained.
            RecsysError: The training failed.
        """
        beside = (self.baselines, *_WIDER.get(self.baselines, ()))
        kept = (replace(self, baselines=names).folder_of(settings) for names in beside)
        folder = next((one for one in kept if (one / _DOCUMENT).is_file()), self.folder_of(settings))
        if not (folder / _DOCUMENT).is_file():
            _check(self.baselines)
            self.train_towers(settings, progress)
            progress("ranker and evaluation")
            apart(_finish, self, recipe_of(settings), folder)
        document = json.loads((folder / _DOCUMENT).read_text(encoding="utf-8"))
        return Run(settings, document, Outcomes.load(folder))

    def train_towers(
        self, settings: Settings, progress: Callable[[str], None] = lambda _: None
    ) -> dict[str, float]:
        """The first half of a run: features and towers; what the last epoch measured on rows held out."""
        folder = self.folder_of(settings)
        if not (folder / _TOWERS).is_file():
            progress("towers")
            shutil.rmtree(folder, ignore_errors=True)
            apart(_train_towers, self, recipe_of(settings), folder)
        found: dict[str, float] = json.loads((folder / _TOWERS).read_text(encoding="utf-8"))
        return found

    def folder_of(self, settings: Settings) -> Path:
        """Where the run of these settings is kept."""
        return self.folder / self._key(settings)

    def _key(self, settings: Settings) -> str:
        made_of = {
            "data": tree_sha256(self.data),
            "recipe": {name: part for name, part in recipe_of(settings).items() if name != "gate"},
            "train": list(self.train),
            "baselines": self.baselines,
            "code": code_sha256(),
        }
        return json_sha256(made_of)[:16]


def _check(baselines: str) -> None:
    from recsys.models.baselines.compare import names

    names(baselines, items=0)


def _train_towers(bench: Bench, recipe: dict[str, Any], folder: Path) -> None:
    from recsys.encoders.catalogue import encode_catalogue
    from recsys.features.training import default_age, training_rows
    from recsys.features.workflows import export_arrays, fit
    from recsys.models import export, two_tower
    from recsys.models.examples import Catalogue

    settings, dataset = settings_of(recipe), open_dataset(bench.data, bench.train)
    rows = training_rows(dataset, _days(dataset), settings=settings.training)
    folder.mkdir(parents=True)
    rows.to_parquet(folder / "rows.parquet", index=False)
    fitted = fit(rows, dataset.items, folder / "workflows")
    export_arrays(fitted, folder / "serving")
    _write_defaults(folder / "serving", default_age(dataset))
    tables = encode_catalogue(dataset, settings, bench.folder / "encoded")
    tables.save(folder / "tables")
    catalogue = Catalogue.build(dataset.items, fitted, tables.image, tables.text)
    trained = two_tower.train(rows, catalogue, fitted, settings.training)
    export.export_towers(trained, folder / "towers")
    found = dict(trained.history[-1])
    found["seconds"] = float(sum(epoch["seconds"] for epoch in trained.history))
    (folder / _TOWERS).write_text(json.dumps(found))


def _finish(bench: Bench, recipe: dict[str, Any], folder: Path) -> None:
    import pandas as pd

    from recsys.encoders.catalogue import MultimodalTables
    from recsys.features.workflows import load
    from recsys.models import dlrm, export
    from recsys.models.evaluate import evaluate
    from recsys.models.examples import Catalogue

    settings, dataset = settings_of(recipe), open_dataset(bench.data, bench.train)
    fitted, tables = load(folder / "workflows"), MultimodalTables.load(folder / "tables")
    catalogue = Catalogue.build(dataset.items, fitted, tables.image, tables.text)
    rows = pd.read_parquet(folder / "rows.parquet")
    half_life_s = settings.popularity.half_life_s
    trained = dlrm.train(
        rows, catalogue, fitted, settings.training, towers=folder / "towers", half_life_s=half_life_s
    )
    export.export_ranker(trained, folder / "ranker")
    _assemble(dataset, folder)
    document = evaluate(folder / "release", dataset, settings, baselines=bench.baselines, outcomes_dir=folder)
    towers = json.loads((folder / _TOWERS).read_text(encoding="utf-8"))
    ranker = sum(epoch["seconds"] for epoch in trained.history)
    document["seconds"] = {"towers": towers["seconds"], "ranker": float(ranker)}
    for part in ("workflows", "serving", "tables", "towers", "ranker", "index", "release"):
        shutil.rmtree(folder / part, ignore_errors=True)
    (folder / "rows.parquet").unlink()
    (folder / _DOCUMENT).write_text(json.dumps(document))


def vectors_of(dataset: Any, folder: Path) -> np.ndarray:
    """Item embeddings of a run's towers, float32 [items, 64]."""
    from recsys import schema
    from recsys.features.arrays import ArrayWorkflow
    from recsys.release.vectors import item_vectors

    return item_vectors(
        folder / "towers" / schema.CANDIDATE_TOWER_ONNX,
        ArrayWorkflow.load(folder / "serving", schema.ITEM_WORKFLOW),
        dataset.items,
        np.load(folder / "tables" / schema.IMAGE_EMBEDDINGS_FILE),
        np.load(folder / "tables" / schema.TEXT_EMBEDDINGS_FILE),
    )


def _assemble(dataset: Any, folder: Path) -> None:
    from recsys.index.index import build
    from recsys.release.assemble import assemble

    (folder / "index").mkdir(exist_ok=True)
    build(vectors_of(dataset, folder)).save(folder / "index")
    parts = [folder / name for name in ("serving", "tables", "towers", "ranker", "index")]
    assemble(dataset, _days(dataset), parts, folder / "release")


def _write_defaults(folder: Path, mean_age: float) -> None:
    from recsys import schema

    (folder / schema.DEFAULTS_FILE).write_text(json.dumps({"mean_age": mean_age}) + "\n", encoding="utf-8")


def open_dataset(data: Path, train: Sequence[int]) -> Any:
    """A data set, split after these days; its own split where there are none."""
    from recsys.data.dataset import Dataset
    from recsys.data.splits import with_split

    dataset = Dataset.open(data)
    return with_split(dataset, train) if train else dataset


def _days(dataset: Any) -> list[int]:
    from recsys.data.splits import train_days

    return train_days(dataset)
