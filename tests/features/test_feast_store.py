from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from recsys.errors import BadUse
from recsys.features import feast_store
from recsys.features.feast_layout import BEHAVIOR_VIEW, ENTITY_KEY_VERSION, ITEM_VIEW, PROJECT, USER_VIEW
from recsys.local.valkey import ValkeyServer
from recsys.settings import Settings


@pytest.mark.parametrize("profile", ["local", "eks"])
def test_both_yaml_files_agree_with_the_readers(profile: str) -> None:
    config = yaml.safe_load((feast_store.repository() / f"feature_store.{profile}.yaml").read_text())
    assert config["project"] == PROJECT
    assert config["entity_key_serialization_version"] == ENTITY_KEY_VERSION
    assert config["online_store"]["type"] == "redis"
    assert "socket_timeout=" in config["online_store"]["connection_string"]


def test_the_eks_profile_has_tls_athena_and_s3(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        "RECSYS_FEAST_REGISTRY": "s3://bucket/feast/registry.db",
        "RECSYS_FEAST_REDIS": "cache.example:6379,db=0",
        "AWS_REGION": "eu-central-1",
        "RECSYS_FEAST_ATHENA_CATALOG": "AwsDataCatalog",
        "RECSYS_FEAST_ATHENA_DATABASE": "shop",
        "RECSYS_FEAST_ATHENA_WORKGROUP": "primary",
        "RECSYS_FEAST_ATHENA_STAGING": "s3://bucket/feast/staging",
    }
    settings = Settings(profile="eks")
    monkeypatch.delenv("AWS_REGION", raising=False)
    with pytest.raises(BadUse, match=r"the variable \w+ is not set"):
        feast_store.config_text(settings)
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    config = yaml.safe_load(feast_store.config_text(settings))
    assert "ssl=true" in config["online_store"]["connection_string"]
    assert config["offline_store"]["database"] == "shop"
    assert config["registry"]["path"] == values["RECSYS_FEAST_REGISTRY"]
    sources = {type(view.batch_source).__name__ for view in feast_store.definitions().define(settings)[3:6]}
    assert sources == {"AthenaSource"}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://127.0.0.1:6379/0", "127.0.0.1:6379,db=0"),
        ("redis://host", "host:6379,db=0"),
        ("rediss://u:p%40ss@host:7000/2", "host:7000,db=2,username=u,password=p@ss,ssl=true"),
    ],
)
def test_urls_in_feasts_words(url: str, expected: str) -> None:
    assert feast_store.connection_string(url) == expected


@pytest.mark.parametrize("url", ["http://host", "redis://", "redis://:a%2Cb@host"])
def test_urls_feast_cannot_use_are_refused(url: str) -> None:
    with pytest.raises(BadUse, match="RECSYS_VALKEY__URL"):
        feast_store.connection_string(url)


@pytest.mark.functional
def test_feasts_own_command_line_applies_the_repository(
    valkey_server: ValkeyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "RECSYS_HOME": str(tmp_path),
        "RECSYS_FEAST_REGISTRY": str(tmp_path / "cli.db"),
        "RECSYS_FEAST_REDIS": feast_store.connection_string(valkey_server.url),
    }.items():
        monkeypatch.setenv(name, value)
    folder = feast_store.repository()
    feast = [str(Path(sys.executable).parent / "feast"), "-c", str(folder)]
    feast += ["-f", str(folder / "feature_store.local.yaml"), "apply"]
    done = subprocess.run(feast, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    views = feast_store.open_store(Settings()).list_feature_views()
    assert {view.name for view in views} == {USER_VIEW, BEHAVIOR_VIEW, ITEM_VIEW}
