from __future__ import annotations

import pkgutil
import subprocess
import sys

import recsys.online

_PROGRAM = """
import importlib, sys

class Refused:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"tensorflow", "nvtabular", "merlin", "dask", "feast", "kfp", "torch"}:
            raise ImportError(f"{name} must not be imported here")

sys.meta_path.insert(0, Refused())
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


def test_the_package_imports_without_what_training_needs() -> None:
    names = [f"recsys.online.{module.name}" for module in pkgutil.iter_modules(recsys.online.__path__)]
    assert len(names) > 20
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, *names], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
