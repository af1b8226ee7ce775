"""A query tower that knows nothing of clicks, to see what the session tower costs where it is served.

It is not trained: weights change what a tower answers and not how long it takes.

    python -m recsys.bench.static_tower WORKFLOWS FOLDER
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

from recsys.errors import RecsysError
from recsys.schema import QUERY_TOWER_ONNX

_LIMIT_S: Final = 300.0


def copy_release(release_dir: Path, workflows: Path, releases: Path) -> None:
    """Make a release like another, with the static tower in place of its own.

    Args:
        release_dir: The other; its files are linked to.
        workflows: The fitted NVTabular workflows.
        releases: Folder of releases that is made.

    Raises:
        RecsysError: The tower cannot be exported.
    """
    folder = releases / release_dir.name
    folder.mkdir(parents=True)
    for path in release_dir.iterdir():
        if path.name != QUERY_TOWER_ONNX:
            (folder / path.name).symlink_to(path)
    exported = releases / "tower"
    # In a process of its own: TensorFlow's memory and threads stay away from what is measured.
    line = [sys.executable, "-m", __spec__.name, str(workflows), str(exported)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
    if done.returncode != 0:
        words = done.stderr.strip().splitlines()
        raise RecsysError("static tower", words[-1] if words else "not exported", "Leave out --static-tower")
    (exported / QUERY_TOWER_ONNX).replace(folder / QUERY_TOWER_ONNX)


def export(workflows: Path, out_dir: Path) -> None:
    """Write `query_tower.onnx` of an untrained static tower.

    Args:
        workflows: The fitted NVTabular workflows, which say how many codes each feature has.
        out_dir: Made if absent.
    """
    import tensorflow as tf

    from recsys.features.workflows import load
    from recsys.models.export import export_query
    from recsys.models.two_tower import build, query_features
    from recsys.settings import get_settings

    training = get_settings().training
    recipe = training.retrieval.model_copy(update={"query_tower": "static", "clicks": 0})
    tower = build(load(workflows), recipe, training.seed).query_encoder
    tower({name: tf.zeros((1, 1), dtype) for name, dtype in query_features(recipe).items()})
    export_query(tower, out_dir)


if __name__ == "__main__":
    export(Path(sys.argv[1]), Path(sys.argv[2]))
