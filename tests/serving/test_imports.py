"""A serving image holds no training library."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import recsys.serving

PROGRAM = """
import importlib, pkgutil, sys
blocked = {"tensorflow", "keras", "nvtabular", "merlin", "dask", "feast", "torch", "pandas"}
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in blocked:
            raise ImportError(f"{name} must not be imported while serving")
sys.meta_path.insert(0, Refuse())
import recsys.index, recsys.online, recsys.serving
for found in pkgutil.walk_packages(recsys.serving.__path__, "recsys.serving."):
    importlib.import_module(found.name)
print("pydantic" in sys.modules)
"""

LIGHT = """
import sys
import recsys.serving.python_backend, recsys.serving.stages.unroll_features
print(sorted({"pydantic", "redis", "faiss", "onnxruntime"} & set(sys.modules)))
"""


def run(program: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-c", program]
    return subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)


def test_every_module_imports_without_training_libraries() -> None:
    done = run(PROGRAM)
    assert done.returncode == 0, done.stderr


def test_a_model_process_imports_only_what_it_uses() -> None:
    assert run(LIGHT).stdout.strip() == "[]"


def test_nothing_is_unpickled() -> None:
    for path in Path(recsys.serving.__path__[0]).rglob("*.py"):
        text = path.read_text()
        assert "import pickle" not in text, path
        assert "allow_pickle=True" not in text, path
