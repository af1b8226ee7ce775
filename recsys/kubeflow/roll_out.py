"""A release onto a cluster: `helm upgrade --install` with its number."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence

from recsys.errors import BadUse, RecsysError
from recsys.release.releases import Releases
from recsys.release.remote import open_store

_PATIENCE_S = 60
"""Longer than Helm itself waits, so that what it says is heard."""


def roll_out(
    store: str,
    release: int = 0,
    *,
    name: str,
    namespace: str,
    chart: str,
    in_place: bool = True,
    timeout_s: int = 2_400,
) -> int:
    """Serve a release on the cluster and return when it is served.

    Args:
        store: The release store that the chart reads.
        release: Its number; 0: the newest that passed its gate.
        name: Of Helm's installation; its values are kept.
        namespace: Where it is.
        chart: Folder or address of the chart.
        in_place: Through the chart's promotion, a Job that runs `recsys release promote` on all pods or
            none; else by new pods, and back to the old ones where they do not become ready.
        timeout_s: Longest wait.

    Returns:
        The release's number.

    Raises:
        BadUse: There is no such release, or Helm is not here.
        RecsysError: Its gate refused it, or Helm failed; the old release is served.
    """
    number = _chosen(open_store(store), release)
    if shutil.which("helm") is None:
        raise BadUse("helm", "is not on PATH", "Run it in the training image, or install Helm 3.14 or later")
    line = command(
        number, name=name, namespace=namespace, chart=chart, in_place=in_place, timeout_s=timeout_s
    )
    try:
        done = subprocess.run(
            line, capture_output=True, text=True, timeout=timeout_s + _PATIENCE_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise RecsysError(
            f"helm upgrade of {name}", f"is not over after {timeout_s} s", "Look at its pods"
        ) from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise RecsysError(
            f"helm upgrade of {name}", said[-1] if said else "failed", f"helm history {name} -n {namespace}"
        )
    return number


def command(
    number: int, *, name: str, namespace: str, chart: str, in_place: bool, timeout_s: int
) -> Sequence[str]:
    """What is run: the values of the installation stay, with the chart's own defaults for new ones."""
    chosen = "promotion.release" if in_place else "release.number"
    return [
        *("helm", "upgrade", "--install", name, chart, "--namespace", namespace),
        *("--reset-then-reuse-values", "--set", f"{chosen}={number}"),
        *("--wait", "--wait-for-jobs", "--timeout", f"{timeout_s}s"),
        *(() if in_place else ("--atomic",)),
    ]


def _chosen(releases: Releases, wanted: int) -> int:
    """The wanted release, or the newest that passed its gate."""
    passed = [manifest for manifest in releases.list() if manifest.gate.passed]
    if not wanted:
        if not passed:
            raise BadUse("the release store", "holds none that passed its gate", "Train one first")
        return passed[-1].release
    gate = releases.show(wanted).gate
    if not gate.passed:
        raise RecsysError(f"release {wanted}", f"was refused by its gate: {gate.reason}", "Train another")
    return wanted
