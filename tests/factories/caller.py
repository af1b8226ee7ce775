"""A client of a gateway in this process, with a key for everything."""

from __future__ import annotations

from collections.abc import Iterator

from starlette.testclient import TestClient

from recsys.online.auth import KeyStore, create_key
from recsys.online.gateway import create_app
from recsys.online.gateway_process import keys_path
from recsys.settings import Settings


class Caller:
    """A client with a key for everything."""

    def __init__(self, client: TestClient, settings: Settings) -> None:
        self.http, self.settings = client, settings
        self.token = create_key(keys_path(settings))
        client.app.state.doorkeeper._keys = KeyStore(keys_path(settings))
        self.http.headers["authorization"] = f"Bearer {self.token}"

    def recommend(self, **body: object) -> dict:
        answer = self.http.post("/v1/recommendations", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()


def open_caller(settings: Settings) -> Iterator[Caller]:
    create_key(keys_path(settings))
    with TestClient(create_app(settings, KeyStore(keys_path(settings)))) as client:
        yield Caller(client, settings)


def ids(answer: dict) -> list[int]:
    """Items of an answer."""
    return [item["item_id"] for item in answer["items"]]
