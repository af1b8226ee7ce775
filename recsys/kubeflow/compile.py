"""Pipelines as IR YAML for a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def pipelines() -> dict[str, Any]:
    """Every pipeline of the project by the name of its IR file, without suffix."""
    from pipelines.daily_finetuning import daily_finetuning
    from pipelines.full_training import full_training
    from pipelines.roll_out import roll_out, train_and_roll_out

    return {
        "daily_finetuning": daily_finetuning,
        "full_training": full_training,
        "roll_out": roll_out,
        "train_and_roll_out": train_and_roll_out,
    }


def compile_pipelines(
    out_dir: Path, image: str | None = None, environment: Mapping[str, str] | None = None
) -> list[Path]:
    """Writes each pipeline's IR YAML, with what a cluster needs of nodes, GPUs and volumes.

    Compiling the same source again gives the same bytes.

    Args:
        out_dir: Made if it is not there.
        image: The image its steps run in; by default the one the components name.
        environment: Of every step besides, such as RECSYS_MLFLOW__URI.

    Returns:
        The files written.
    """
    from kfp.compiler import Compiler

    from components.image import TRAINING_IMAGE

    out_dir.mkdir(parents=True, exist_ok=True)
    written = []
    for name, pipeline in pipelines().items():
        path = out_dir / f"{name}.yaml"
        Compiler().compile(pipeline, str(path))
        if image:
            path.write_text(path.read_text().replace(TRAINING_IMAGE, image))
        if environment:
            _set(path, environment)
        written.append(path)
    return written


def _set(path: Path, environment: Mapping[str, str]) -> None:
    """Write variables into every container of an IR file; those that are there already stay."""
    import yaml

    documents = list(yaml.safe_load_all(path.read_text()))
    for executor in documents[0]["deploymentSpec"]["executors"].values():
        if "container" in executor:
            variables = executor["container"].setdefault("env", [])
            there = {each["name"] for each in variables}
            variables += [
                {"name": key, "value": value} for key, value in environment.items() if key not in there
            ]
    path.write_text(yaml.safe_dump_all(documents, sort_keys=True))
