"""What runs before Triton in its container."""

from __future__ import annotations

from pathlib import Path

import pytest
from factories.release import make_release

from recsys.errors import BadUse
from recsys.release.manifest import DataWindow
from recsys.release.store import ReleaseStore
from recsys.serving import container
from recsys.serving.container import main, prepare
from recsys.serving.embedded.build import library
from recsys.settings import ServingSettings, Settings


@pytest.fixture
def source(tmp_path: Path) -> Path:
    store = ReleaseStore(tmp_path / "source")
    window = DataWindow(fingerprint="f", days=(0,))
    store.set_current(store.publish(make_release(tmp_path / "made"), data=window, metrics={}))
    return store.root


def test_triton_finds_the_release_that_was_fetched(source: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    settings = Settings(serving=ServingSettings(stages="processes", retrieved=50, ranked=40, returned=7))
    assert prepare(str(source), home, settings) == 1
    ranker = (home / "triton" / "models" / "dlrm_ranking" / "config.pbtxt").read_text()
    assert f'string_value: "{home / "releases"}"' in ranker
    assert "dims: [ 40 ]" in ranker
    assert (home / "releases" / "1" / "dlrm.onnx").is_file()


def test_the_command_refuses_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    as_in_the_image = Settings(serving=ServingSettings(stages="processes"))
    monkeypatch.setattr(container, "get_settings", lambda: as_in_the_image)
    with pytest.raises(SystemExit) as caught:
        main([f"--source={tmp_path}", f"--into={tmp_path / 'home'}"])
    assert caught.value.code == 2
    said = capsys.readouterr().err
    assert "no release is current" in said
    assert said.count("\n") == 1


def test_embedded_stages_need_an_image_that_holds_their_backend(source: Path, tmp_path: Path) -> None:
    settings = Settings(serving=ServingSettings(stages="embedded"))
    home, backends = tmp_path / "home", tmp_path / "backends"
    with pytest.raises(BadUse, match=r"RECSYS_SERVING__STAGES.*processes"):
        prepare(str(source), home, settings, backends=backends)
    library(backends).parent.mkdir(parents=True)
    library(backends).touch()
    assert prepare(str(source), home, settings, backends=backends) == 1
    assert 'backend: "stages"' in (home / "triton" / "models" / "dlrm_ranking" / "config.pbtxt").read_text()
