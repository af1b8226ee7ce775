"""The eks scripts with stand-ins for aws, eksctl, kubectl and helm that record their calls.

This shows what the scripts call, in which order, and that a second run is harmless.
No AWS account is reached.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PASSWORD = "s3cretOfTheTest"

_STUB = r"""#!/usr/bin/env bash
echo "${0##*/} $*" >>"$STUB_STATE/calls"
case "${0##*/} $*" in
    $STUB_FAIL) echo "stub: told to fail" >&2; exit 9 ;;
    "eksctl create cluster "*) touch "$STUB_STATE/cluster" ;;
    "eksctl delete cluster "*) rm -f "$STUB_STATE/cluster" ;;
    "aws eks describe-cluster "*issuer*) echo "https://oidc.test/id/1" ;;
    "aws eks describe-cluster "*SecurityGroup*) echo "sg-1" ;;
    "aws eks describe-cluster "*) [[ -e "$STUB_STATE/cluster" ]] ;;
    "aws sts get-caller-identity "*) echo 123456789012 ;;
    "aws secretsmanager get-secret-value "*) echo "$STUB_PASSWORD" ;;
    "aws cloudformation describe-stacks "*)
        args="$*"; stack=${args#*--stack-name }; key=${args#*OutputKey==\'}
        echo "${stack%% *}-${key%%\'*}" ;;
    "kubectl create secret "*) cat /dev/stdin | tee "$STUB_STATE/secret" ;;
    "kubectl apply -f -") cat >/dev/null ;;
esac
"""


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str
    calls: list[str]


@dataclass(frozen=True)
class Workplace:
    """A copy of what the scripts read, with stand-ins on PATH."""

    root: Path
    state: Path
    path: str

    def run(self, script: str, *options: str, answer: str = "", fail: str = "never") -> Outcome:
        (self.state / "calls").write_text("")
        done = subprocess.run(
            [str(self.root / "scripts" / script), *options],
            input=answer,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={
                "PATH": self.path,
                "STUB_STATE": str(self.state),
                "STUB_PASSWORD": PASSWORD,
                "STUB_FAIL": fail,
            },
        )
        return Outcome(
            done.returncode, done.stdout, done.stderr, (self.state / "calls").read_text().splitlines()
        )


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    root, state, stubs = tmp_path / "clone", tmp_path / "state", tmp_path / "bin"
    for folder in ("infra", "scripts"):
        shutil.copytree(ROOT / folder, root / folder)
    cluster = root / "infra" / "cluster.yaml"
    cluster.write_text(
        cluster.read_text().replace("publicAccessCIDRs: []", 'publicAccessCIDRs: ["203.0.113.0/24"]')
    )
    state.mkdir()
    stubs.mkdir()
    for tool in ("aws", "eksctl", "kubectl", "helm"):
        (stubs / tool).write_text(_STUB)
        (stubs / tool).chmod(0o755)
    (stubs / "python3").symlink_to(sys.executable)
    return Workplace(root, state, f"{stubs}{os.pathsep}/usr/bin{os.pathsep}/bin")
