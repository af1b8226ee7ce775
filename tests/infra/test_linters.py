"""cfn-lint and checkov, where they are installed; both want an environment of their own."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
from factories.stacks import INFRA, STACKS

FIX = "is not on PATH: python3 -m venv ~/lint; ~/lint/bin/pip install cfn-lint checkov; PATH=~/lint/bin:$PATH"


def needs(tool: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(tool) is None, reason=f"{tool} {FIX}")


@needs("cfn-lint")
def test_cfn_lint_finds_nothing() -> None:
    paths = [str(INFRA / f"{name}.yaml") for name in STACKS]
    done = subprocess.run(["cfn-lint", *paths], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@needs("checkov")
def test_checkov_finds_nothing_unexplained() -> None:
    options = ["--framework", "cloudformation", "--quiet", "--compact", "--skip-download"]
    done = subprocess.run(
        ["checkov", "--directory", str(INFRA), *options],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "LOG_LEVEL": "ERROR"},
    )
    assert done.returncode == 0, done.stdout
    assert "Failed checks: 0" in done.stdout
