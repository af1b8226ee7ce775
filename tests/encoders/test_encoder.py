from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from recsys.encoders.encoder import make_encoder, weights_digest
from recsys.errors import BadUse


@pytest.mark.parametrize(
    ("spec", "kind", "package"),
    [
        ("sentence-transformers:any", "text", "sentence_transformers"),
        ("clip:any", "text", "transformers"),
        ("clip:any", "image", "torch"),
    ],
)
def test_an_absent_package_is_one_line_with_the_fix(
    monkeypatch: pytest.MonkeyPatch, spec: str, kind: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    default = "tfidf-svd" if kind == "text" else "color-shape"
    message = rf"the package {package} is not installed. Run scripts/setup --encoders, or set .*={default}"
    with pytest.raises(BadUse, match=message):
        make_encoder(spec, kind)


def test_defaults_import_neither_torch_nor_transformers() -> None:
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['torch', 'transformers', 'sentence_transformers']));"
        "from recsys.encoders.encoder import make_encoder; import recsys.encoders.catalogue;"
        "make_encoder('tfidf-svd', 'text'); make_encoder('color-shape', 'image')"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, cwd=Path(__file__).parents[2])


def test_the_digest_follows_the_weights_wherever_they_lie(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name / "deep").mkdir(parents=True)
        (tmp_path / name / "deep" / "weights").write_bytes(b"123")
    assert weights_digest(str(tmp_path / "a")) == weights_digest(str(tmp_path / "b"))
    (tmp_path / "b" / "deep" / "weights").write_bytes(b"124")
    assert weights_digest(str(tmp_path / "a")) != weights_digest(str(tmp_path / "b"))
    assert weights_digest("a-name-on-the-hub") == ""
