"""Prometheus' own promtool, where it is installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed. Install Debian's package prometheus"
)


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run it; what it found is in its exit code and output."""
    return subprocess.run(
        ["promtool", *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False
    )
