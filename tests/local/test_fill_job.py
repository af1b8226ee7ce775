"""The job that fills a cluster's feature store."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from factories.feast_values import put_user
from factories.home import make_home

from recsys import schema
from recsys.features.online_store import ItemFeatureReader, UserFeatureReader
from recsys.local.fill import FILLED_KEY
from recsys.local.fill_job import fill, main
from recsys.local.valkey import ValkeyServer
from recsys.release.store import ReleaseStore
from recsys.settings import Settings, ValkeySettings
from recsys.valkey import connect


def test_the_releases_rows_reach_valkey_once(tmp_path: Path) -> None:
    source = make_home(tmp_path / "source") / "releases"
    with ValkeyServer(tmp_path / "valkey") as server:
        reach = ValkeySettings(url=server.url, timeout_s=5.0)
        settings = Settings(home=tmp_path / "elsewhere", valkey=reach)
        assert fill(str(source), tmp_path / "home", settings) == 1
        client = connect(reach)
        first = int(np.load(ReleaseStore(source).path(1) / schema.ITEM_IDS_FILE)[0])
        found = ItemFeatureReader(client).read([first])
        assert found.price[0] > 0
        filled = client.get(FILLED_KEY)
        client.delete(FILLED_KEY)
        put_user(client, 77, age=30.0, gender=1, top_category=4)
        fill(str(source), tmp_path / "home", settings, fresh=False)
        assert UserFeatureReader(client).read([77]).top_category[0] == 4, "shoppers are served from it"
        client.flushdb()
        client.set(FILLED_KEY, filled)
        fill(str(source), tmp_path / "home", settings)
        assert client.dbsize() == 1, "it wrote again what was there already"
        client.close()


def test_the_command_refuses_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([f"--source={tmp_path}", f"--into={tmp_path / 'home'}"])
    assert caught.value.code == 2
    assert "no release is current" in capsys.readouterr().err
