"""The catalogue through the gateway, and what its OpenAPI document says."""

from __future__ import annotations

import pytest
from factories.caller import Caller, ids

from .conftest import ShopHome


def test_the_document_tells_limits_exactly(caller: Caller) -> None:
    document = caller.http.get("/openapi.json").json()
    asked = document["components"]["schemas"]["RecommendationRequest"]["properties"]
    user = asked["user_id"]["anyOf"][0]
    assert (user["minimum"], user["maximum"]) == (-(2**63), 2**63 - 1)


def test_the_document_says_of_parameters_only_what_a_url_can(caller: Caller) -> None:
    paths = caller.http.get("/openapi.json").json()["paths"]
    given = {each["name"]: each["schema"] for each in paths["/v1/items"]["get"]["parameters"]}
    assert {name: schema["type"] for name, schema in given.items()} == {
        "ids": "array",
        "category": "string",
        "after": "integer",
        "limit": "integer",
    }
    assert (given["limit"]["minimum"], given["limit"]["maximum"]) == (1, 500)


def test_items(caller: Caller, shop_home: ShopHome) -> None:
    found: list[int] = []
    after: int | None = 0
    while after is not None:
        page = caller.http.get("/v1/items", params={"limit": 15, "after": after}).json()
        found += ids(page)
        after = page["next"]
    assert found == shop_home.item_ids.tolist()
    two = caller.http.get("/v1/items", params={"ids": [found[3], 12345, found[1]]}).json()
    assert ids(two) == [found[3], found[1]]
    assert two["items"][0]["title"] == "Item 3"
    assert len(ids(caller.http.get("/v1/items", params={"category": "3"}).json())) == 10
    assert len(ids(caller.http.get("/v1/items", params={"category": "Sub 3"}).json())) == 5


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=501",
        "limit=x",
        "after=-1",
        "after=1.5",
        "after=5.0",
        "limit=1_0",
        "ids=a",
        "ids=0.0",
        "ids=%205",
        "ids=9223372036854775808",
        "category=",
        "category=3&category=4",
        "limit=5&after=3&limit=5",
        f"category={'x' * 101}",
        "&".join(f"ids={number}" for number in range(501)),
    ],
)
def test_items_refuses_what_it_cannot_mean(caller: Caller, query: str) -> None:
    answer = caller.http.get(f"/v1/items?{query}")
    assert answer.status_code == 422
    assert answer.json()["title"] == "Input does not fit"
