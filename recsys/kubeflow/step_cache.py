"""Outputs of pipeline steps, kept by the content of what went in.

The local Kubeflow runner has no cache of its own. A step's key is made of its component's source,
the code and the library versions that it runs on, its parameters and the content of its input artefacts;
never of paths, times or the mere existence of a file. So a pipeline that was killed goes on where it
stopped, and a changed catalogue is never answered with yesterday's tables.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recsys.release import files
from recsys.release.digest import code_sha256, files_under, json_sha256, tree_sha256
from recsys.release.manifest import library_versions

_META = "step.json"
_OUTPUTS = "outputs"
_STAGING = ".staging-"
_ROOT_MARK = "{task_root}"


class StepCache:
    """Finished steps under one folder, each appearing there by one rename.

    Args:
        root: The folder; made when first needed.
        max_bytes: What `prune` leaves, least recently used entries going first.
    """

    def __init__(self, root: Path, max_bytes: int = 20 << 30) -> None:
        self.root = root
        self.max_bytes = max_bytes

    def key(self, source: str, executor_input: Mapping[str, Any]) -> str:
        """The hex sha256 of everything that decides a step's output.

        Args:
            source: The component's source text.
            executor_input: Kubeflow's message to the step; its input artefacts must exist.

        Raises:
            OSError: An input artefact cannot be read.
        """
        inputs = executor_input.get("inputs", {})
        artefacts = {
            name: [
                {"content": tree_sha256(Path(one["uri"])), "metadata": one.get("metadata", {})}
                if Path(one["uri"]).exists()
                else {"metadata": one.get("metadata", {})}
                for one in listed["artifacts"]
            ]
            for name, listed in inputs.get("artifacts", {}).items()
        }
        return json_sha256(
            {
                "source": source,
                "code": code_sha256(),
                "libraries": library_versions(),
                "parameters": inputs.get("parameterValues", {}),
                "artefacts": artefacts,
                "outputs": sorted(executor_input.get("outputs", {}).get("artifacts", {})),
            }
        )

    def restore(self, key: str, task_root: Path) -> bool:
        """Puts a kept step's outputs where Kubeflow expects them.

        An entry whose content is not what was kept is removed and counts as absent.

        Returns:
            Whether the step's outputs are there now.
        """
        entry = self.root / key
        if not (entry / _META).is_file():
            return False
        kept = entry / _OUTPUTS
        if tree_sha256(kept) != json.loads((entry / _META).read_text())["content"]:
            shutil.rmtree(entry)
            return False
        _link_tree(kept, task_root)
        _rewrite(task_root, _ROOT_MARK, str(task_root))
        os.utime(entry)
        return True

    def keep(self, key: str, task_root: Path) -> None:
        """Keeps a finished step's outputs; they become read-only and are shared, not copied.

        Raises:
            OSError: The folder cannot be written; nothing is kept.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        staging = self.root / f"{_STAGING}{key}"
        shutil.rmtree(staging, ignore_errors=True)
        for path in files_under(task_root):
            path.chmod(0o444)
        _link_tree(task_root, staging / _OUTPUTS)
        _rewrite(staging / _OUTPUTS, str(task_root), _ROOT_MARK)
        meta = {"content": tree_sha256(staging / _OUTPUTS)}
        files.write_atomic(staging / _META, json.dumps(meta).encode())
        files.sync_tree(staging)
        shutil.rmtree(self.root / key, ignore_errors=True)
        staging.rename(self.root / key)
        files.sync_folder(self.root)

    def prune(self) -> None:
        """Removes what a crash left, and the least recently used entries beyond `max_bytes`."""
        if not self.root.is_dir():
            return
        for leftover in self.root.glob(f"{_STAGING}*"):
            shutil.rmtree(leftover)
        used = 0
        for entry in sorted(self.root.iterdir(), key=lambda p: p.stat().st_mtime, reverse=True):
            used += sum(p.stat().st_size for p in files_under(entry))
            if used > self.max_bytes:
                shutil.rmtree(entry)


def _link_tree(source: Path, target: Path) -> None:
    """Hard-links every file below `source` to the same name below `target`, empty folders too."""
    target.mkdir(parents=True, exist_ok=True)
    for folder in (p for p in source.rglob("*") if p.is_dir()):
        (target / folder.relative_to(source)).mkdir(parents=True, exist_ok=True)
    for path in files_under(source):
        linked = target / path.relative_to(source)
        linked.unlink(missing_ok=True)
        files.link_or_copy(path, linked)


def _rewrite(root: Path, old: str, new: str) -> None:
    """Replaces the step's place in Kubeflow's own answer, the one file that holds absolute paths."""
    answer = root / "executor_output.json"
    if answer.is_file():
        text = answer.read_text().replace(old, new)
        answer.unlink()
        answer.write_text(text)
