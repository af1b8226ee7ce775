"""What an image runs imports nothing that the image's lock lacks."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, packages_distributions, requires

import pytest
from factories.chart import ROOT

RUN = {
    "serving": (
        "recsys.online.gateway",
        "recsys.online.precompute_job",
        "recsys.release.agent",
        "recsys.release.fetch",
    ),
    "serving-gpu": (
        "recsys.index.shard_model",
        "recsys.index.triton_part",
        "recsys.release.agent",
        "recsys.release.index_part",
        "recsys.serving.container",
        "recsys.serving.fused",
        "recsys.serving.python_backend",
    ),
    "worker": ("recsys.local.fill_job", "recsys.online.worker", "recsys.online.worker_probe"),
}
"""For each lock what the chart starts of the images made with it, and what Triton imports."""

OURS = {"recsys", "components", "pipelines"}

_PROGRAM = """
import importlib, json, sys

absent = set(json.loads(sys.stdin.read()))

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in absent:
            raise ModuleNotFoundError(f"{name} is not in the image", name=name)

sys.meta_path.insert(0, Absent())
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


@pytest.mark.parametrize("lock", RUN)
def test_it_imports_without_what_is_not_locked(lock: str) -> None:
    done = _import(RUN[lock], lock)
    assert done.returncode == 0, done.stderr


def test_what_is_not_locked_is_missed() -> None:
    assert "fastapi is not in the image" in _import(["recsys.online.gateway"], "serving-gpu").stderr


def _import(modules: Sequence[str], lock: str) -> subprocess.CompletedProcess[str]:
    """Import modules where only a lock's packages are."""
    text = (ROOT / "requirements" / f"{lock}.lock").read_text()
    there = _with_needs({_plain(name) for name in re.findall(r"^([A-Za-z0-9._-]+)==", text, re.MULTILINE)})
    absent = [
        module
        for module, packages in packages_distributions().items()
        if module not in OURS and not there & set(map(_plain, packages))
    ]
    return subprocess.run(
        [sys.executable, "-c", _PROGRAM, *modules],
        input=json.dumps(absent),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def _with_needs(names: set[str]) -> set[str]:
    """Packages and what they need in the versions that are installed here, which may not be the lock's."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        # The GPU's build of a package stands for the one installed here.
        name = waiting.pop().removesuffix("-gpu")
        if name in found:
            continue
        found.add(name)
        with suppress(PackageNotFoundError):
            needs = [one for one in requires(name) or () if "extra ==" not in one]
            waiting += [_plain(re.split(r"[^A-Za-z0-9._-]", one, maxsplit=1)[0]) for one in needs]
    return found


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
