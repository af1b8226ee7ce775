"""What the command line must not import before it knows that it needs it."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("pandas", "pyarrow", "tensorflow", "nvtabular", "merlin", "feast", "kfp", "redis", "onnxruntime")


def test_help_needs_none_of_the_heavy_libraries() -> None:
    program = f"import sys, recsys.cli; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == ""


def test_global_options_may_stand_after_the_command(run, tmp_path) -> None:
    home = tmp_path / "elsewhere"
    for arguments in (("--home", home, "down"), ("down", "--home", home), ("down", f"--home={home}")):
        assert run(*arguments).code == 0
        assert (home / "run").is_dir()
        (home / "run" / "services.lock").unlink()
        (home / "run").rmdir()
