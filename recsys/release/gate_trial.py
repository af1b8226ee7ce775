"""A release on trial: its files run, its rows read, its parent beside it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import onnxruntime

from recsys import schema
from recsys.errors import BadData, RecsysError
from recsys.models.outcomes import OUTCOMES_FILE, Outcomes
from recsys.release import gate_latency
from recsys.release.assemble import check_complete
from recsys.release.dlrm_broadcast import difference
from recsys.release.gate_check import EVALUATION_FILE, Evidence
from recsys.release.gate_report import gate_report, unmeasured
from recsys.release.manifest import read_manifest
from recsys.settings import Settings

GATE_FILE: Final = "gate.json"
"""The report, as the pipeline hands it on."""

_SAVEDMODELS: Final = "savedmodels"


def trial(
    release_dir: Path,
    evaluation_dir: Path,
    settings: Settings,
    parent_dir: Path | None = None,
    parent_evaluation_dir: Path | None = None,
) -> dict[str, Any]:
    """Judges an assembled release.

    A release whose files are incomplete or do not run is refused with that reason.

    Args:
        release_dir: Its files.
        evaluation_dir: `evaluation.json`, and its rows where they were kept.
        settings: `gate`, and `serving` for the number of candidates.
        parent_dir: Files of the release that it would replace; None, or without a manifest: there is none.
        parent_evaluation_dir: That release's evaluation on the same rows.

    Returns:
        See `recsys.release.gate_report.gate_report`.
    """
    folders = [release_dir]
    if parent_dir is not None and settings.gate.compare and (parent_dir / schema.MANIFEST_FILE).is_file():
        folders.append(parent_dir)
    try:
        check_complete(release_dir)
        _check_models(release_dir)
        own = Evidence.read(evaluation_dir)
        latency = gate_latency.measure(folders, settings.serving, settings.gate.rounds)
        own = replace(own, latency=latency[0], parity=_parity(release_dir))
        if len(folders) == 1:
            return gate_report(own, settings.gate)
        parent = replace(_evidence(parent_evaluation_dir), latency=latency[1])
        return gate_report(own, settings.gate, parent, read_manifest(folders[1]).release)
    except RecsysError as error:
        # The pipeline's folders come and go; the files' names stay.
        thing = error.thing.replace(f"{release_dir}/", "").replace(str(release_dir), "the release")
        return unmeasured(passed=False, reason=f"{thing}: {error.cause}")


def _check_models(release_dir: Path) -> None:
    """Loads every exported model, also those that only a daily fine-tuning or another form is made from."""
    for path in sorted(release_dir.glob("*.onnx")):
        try:
            onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's errors share no base class of their own
            cause = (str(error) or type(error).__name__).splitlines()[0]
            raise BadData(str(path), f"cannot be loaded ({cause})", "Export the model again") from error


def _parity(release_dir: Path) -> dict[str, float]:
    """Each export against what it was made from."""
    found: dict[str, float] = {}
    if (release_dir / _SAVEDMODELS).is_dir():
        from recsys.models.parity import parity  # brings in TensorFlow

        found |= parity(release_dir)
    if (release_dir / schema.DLRM_BROADCAST_ONNX).is_file():
        found["dlrm, rewritten"] = difference(release_dir / schema.DLRM_ONNX, release_dir)
    return found


def _evidence(folder: Path | None) -> Evidence:
    """The parent's; empty if it could not be measured, and then every comparison fails."""
    if folder is None:
        return Evidence({})
    if (folder / EVALUATION_FILE).is_file():
        return Evidence.read(folder)
    return Evidence({}, Outcomes.load(folder) if (folder / OUTCOMES_FILE).is_file() else None)
