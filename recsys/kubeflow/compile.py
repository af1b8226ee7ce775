"""Pipelines as IR YAML for a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def pipelines() -> dict[str, Any]:
    """Every pipeline of the project by the name of its IR file, without suffix."""
    from pipelines.daily_finetuning import daily_finetuning
    from pipelines.full_training import full_training

    return {"daily_finetuning": daily_finetuning, "full_training": full_training}


def compile_pipelines(out_dir: Path, image: str | None = None) -> list[Path]:
    """Writes each pipeline's IR YAML, with what a cluster needs of nodes, GPUs and volumes.

    Compiling the same source again gives the same bytes.

    Args:
        out_dir: Made if it is not there.
        image: The image its steps run in; by default the one the components name.

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
        written.append(path)
    return written
