"""Checkers with an environment of their own, which `scripts/setup --lint` makes."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

_FOLDER = Path(__file__).parents[2] / ".venv-lint" / "bin"
_PATH = os.pathsep.join([str(_FOLDER), os.environ.get("PATH", "")])


def needs(tool: str) -> pytest.MarkDecorator:
    """Leaves a test out where the tool is neither in `.venv-lint` nor on PATH."""
    missing = shutil.which(tool, path=_PATH) is None
    return pytest.mark.skipif(missing, reason=f"{tool} is not installed. Run scripts/setup --lint")


def run(tool: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a checker; it reaches for nothing on the network."""
    return subprocess.run(
        [shutil.which(tool, path=_PATH) or tool, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env={**os.environ, "LOG_LEVEL": "ERROR"},
    )


def checkov(framework: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run checkov's checks for `kubernetes` or `cloudformation`."""
    return run("checkov", "--framework", framework, "--quiet", "--compact", "--skip-download", *arguments)
