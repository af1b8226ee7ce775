"""What shops send and get: the models that the OpenAPI document is made of."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)

from recsys.schema import UNKNOWN

_DIGITS: Final = re.compile(r"-?[0-9]+")


def _not_unknown(user_id: int) -> int:
    if user_id == UNKNOWN:
        raise ValueError(f"{UNKNOWN} stands for nobody; ask with anonymous: true")
    return user_id


def _whole(value: Any) -> Any:
    """JSON knows no integers: 5.0 is 5."""
    if isinstance(value, list):
        return [_whole(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _written(value: Any) -> Any:
    """In a URL an integer is its digits: no 5.0, no 1_000 and no blanks."""
    if isinstance(value, str) and not _DIGITS.fullmatch(value):
        raise ValueError("write an integer as its digits alone")
    return value


Int64 = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]
UserId = Annotated[
    int,
    Field(ge=-(2**63), le=2**63 - 1, description="the shop's user; -1 is nobody's"),
    AfterValidator(_not_unknown),
    Field(json_schema_extra={"not": {"const": UNKNOWN}}),
]
ItemId = Annotated[int, Field(ge=-(2**63), le=2**63 - 1, description="the shop's item")]
Written = BeforeValidator(_written)
"""Of integers in a URL."""

Seconds = Annotated[int, Field(ge=0, le=253_402_300_799, description="unix seconds")]
EventId = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[\x21-\x7e]+$")]
DeviceName = Literal["mobile", "desktop", "tablet"]
EventType = Literal["view", "click", "cart", "purchase"]

MAX_TOP_K = 500
MAX_EXCLUDE = 1_000
MAX_EVENTS = 500


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _whole_numbers(cls, given: Any) -> Any:
        return {name: _whole(value) for name, value in given.items()} if isinstance(given, dict) else given


class RecommendationRequest(_Model):
    """Who wants recommendations, and what may be shown."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {
                    "required": ["user_id"],
                    "properties": {"user_id": {"type": "integer"}, "anonymous": {"const": False}},
                },
                {
                    "required": ["anonymous"],
                    "properties": {"user_id": {"type": "null"}, "anonymous": {"const": True}},
                },
            ]
        }
    )

    user_id: UserId | None = Field(None, description="left out only if `anonymous` is true")
    anonymous: bool = Field(False, description="a visitor of whom nothing is known")
    device_type: DeviceName | None = None
    timestamp: Seconds | None = Field(None, description="when it is asked, unix seconds; now if left out")
    top_k: int = Field(10, ge=1, le=MAX_TOP_K)
    exclude: list[ItemId] = Field(default=[], max_length=MAX_EXCLUDE, description="items not to show")
    category: Int64 | Annotated[str, Field(min_length=1, max_length=100)] | None = Field(
        None, description="a top-level category's number, or any category's name"
    )
    in_stock_only: bool = False
    sampling: Literal["top", "weighted"] | None = Field(
        None, description="weighted: drawn by score, without replacement, as the request's id decides"
    )
    diversity: float | None = Field(
        None, ge=0, le=1, description="how much items are to differ; 0: not at all"
    )
    diversity_by: Literal["mmr", "dpp"] | None = Field(None, description="how difference is weighed")
    max_per_category: int | None = Field(
        None, ge=0, le=MAX_TOP_K, description="items of one top-level category at most; 0: any number"
    )
    explore: float | None = Field(
        None,
        ge=0,
        le=1,
        description="temperature at which each place is drawn, in place of sampling, diversity and "
        "max_per_category; the answer tells each place's propensity; 0: not at all",
    )
    explain: bool = Field(False, description="tell each item's source and how long each part took")
    deadline_ms: int | None = Field(None, ge=20, le=10_000, description="answer sooner than usual")

    @model_validator(mode="after")
    def _one_visitor(self) -> RecommendationRequest:
        if self.anonymous == (self.user_id is not None):
            raise ValueError("give either user_id or anonymous: true")
        return self


class ItemCard(BaseModel):
    """What is shown of an item."""

    item_id: ItemId
    sku: str | None
    title: str | None
    category_l1: Int64
    category_l1_name: str | None
    category_l2: Int64
    category_l2_name: str | None
    price: float


class RecommendedItem(ItemCard):
    """An item of an answer."""

    score: float = Field(description="never rises within an answer; says nothing across answers")
    source: str | None = Field(None, description="ensemble, precomputed or popular; with `explain`")
    candidate_of: list[str] | None = Field(
        None, description="which lists of candidates of the ensemble it was among; with `explain`"
    )
    propensity: float | None = Field(
        None, description="chance of its place given those before it, where one explores; 0: filled up"
    )


class Recommendations(BaseModel):
    """An answer, best item first."""

    request_id: str
    user_id: int | None
    release: int | None = Field(description="the release that ranked the items")
    degraded: int = Field(description="sum of the bits of what came from a fallback; 0: nothing")
    fallbacks: list[str] = Field(description="the names of those bits")
    items: list[RecommendedItem]
    timings_ms: dict[str, float] | None = Field(None, description="with `explain`")


class EventIn(_Model):
    """Something a user did with an item."""

    event_id: EventId | None = Field(None, description="an id has its effect once: repeating it is harmless")
    user_id: UserId
    item_id: ItemId
    timestamp: Seconds | None = Field(
        None, description="unix seconds; now if left out, or if it lies in the future"
    )
    device_type: DeviceName | None = None
    event_type: EventType = "click"


class EventBatch(_Model):
    """Many events."""

    events: list[EventIn] = Field(min_length=1, max_length=MAX_EVENTS)


def _one_or_many(body: Any) -> str:
    many = "events" in body if isinstance(body, dict) else isinstance(body, EventBatch)
    return "many" if many else "one"


EventBody = Annotated[
    Annotated[EventIn, Tag("one")] | Annotated[EventBatch, Tag("many")], Discriminator(_one_or_many)
]


class EventsAccepted(BaseModel):
    """The events are in the log and will take effect within seconds."""

    request_id: str
    accepted: int
    event_ids: list[str]


class Forgotten(BaseModel):
    """The user's behaviour is deleted, and events up to this moment will not bring it back."""

    request_id: str
    user_id: int
    until_ms: int = Field(description="milliseconds since 1970")


class ItemPage(BaseModel):
    """Items of the current release in the order of its catalogue."""

    release: int | None
    items: list[ItemCard]
    next: int | None = Field(description="pass as `after` for the next page; null at the end")


class Health(BaseModel):
    """Whether the gateway can answer, and what it would use."""

    status: Literal["ok", "degraded", "starting"]
    parts: dict[str, str] = {}


class Problem(BaseModel):
    """Why a request was refused (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    request_id: str
