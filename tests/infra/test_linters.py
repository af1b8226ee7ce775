"""cfn-lint and checkov over the stacks, where they are installed."""

from __future__ import annotations

from factories.linters import checkov, needs, run
from factories.stacks import INFRA, STACKS


@needs("cfn-lint")
def test_cfn_lint_finds_nothing() -> None:
    done = run("cfn-lint", *(INFRA / f"{name}.yaml" for name in STACKS))
    assert done.returncode == 0, done.stdout + done.stderr


@needs("checkov")
def test_checkov_finds_nothing_unexplained() -> None:
    done = checkov("cloudformation", "--directory", INFRA)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Failed checks: 0" in done.stdout
