from __future__ import annotations

import os
from pathlib import Path

import pytest

from recsys.errors import BadUse
from recsys.local.promotion import promote_here
from recsys.local.switch_drill import operator
from recsys.release.manifest import DataWindow
from recsys.release.store import ReleaseStore
from recsys.settings import Settings


def test_another_process_switches_and_tells_what_went_wrong_whole(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    store, staging = ReleaseStore(tmp_path / "releases"), tmp_path / "staging"
    staging.mkdir()
    (staging / "file").write_text("1")
    store.publish(staging, data=DataWindow(fingerprint="1", days=(0,)), metrics={})
    with operator() as promoting:
        assert promoting.submit(os.getpid).result() != os.getpid()
        assert promoting.submit(promote_here, settings, 1, fill=False).result() is None
        assert store.current() == 1
        with pytest.raises(BadUse, match="release 7") as refused:
            promoting.submit(promote_here, settings, 7, fill=False).result()
    assert refused.value.fix
