"""Settings of what answers shops and follows clicks: Valkey, events, worker, gateway."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, model_validator


class ValkeySettings(BaseModel):
    """How to reach Valkey (or Redis); every call has a time limit."""

    url: str = "redis://127.0.0.1:6379/0"
    connect_timeout_s: float = Field(0.2, gt=0)
    timeout_s: float = Field(0.1, gt=0)


class SeenSettings(BaseModel):
    """The seen-item Bloom filter."""

    capacity: int = Field(1_000, ge=1, description="items per user and generation")
    error_rate: float = Field(0.01, gt=0, lt=1)
    rotation_s: int = Field(15 * 24 * 3600, ge=1, description="age of a generation; two are kept")
    form: Literal["auto", "native", "bitmap"] = Field(
        "auto",
        description="native: BF.* commands; bitmap: a Lua script; auto: native where the server has it",
    )


class RecentsSettings(BaseModel):
    """A user's newest clicks, which the session tower reads."""

    kept_s: int = Field(
        30 * 24 * 3600, ge=1, description="a click is forgotten at this age; longer than a training window"
    )


class EventSettings(BaseModel):
    """The log of events between the gateway and the behaviour worker."""

    log: Literal["valkey", "sqs"] = Field("valkey", description="a Valkey stream, or an Amazon SQS queue")
    max_length: int = Field(1_000_000, ge=1, description="events kept; beyond it new ones are refused")
    max_attempts: int = Field(5, ge=1, description="deliveries before an event is set aside")
    dedupe_s: int = Field(7 * 24 * 3600, ge=1, description="an event id is remembered at least this long")
    sqs_queue_url: str = ""
    sqs_dead_letter_url: str = ""
    sqs_timeout_s: float = Field(1.0, gt=0, description="time limit of one call to SQS, waiting apart")

    @model_validator(mode="after")
    def _queues_are_named(self) -> EventSettings:
        if self.log == "sqs" and not (self.sqs_queue_url and self.sqs_dead_letter_url):
            raise ValueError("log sqs needs sqs_queue_url and sqs_dead_letter_url")
        return self


class WorkerSettings(BaseModel):
    """The behaviour worker."""

    name: str = Field("", description="consumer of the event log; the host's name when empty")
    batch: int = Field(256, ge=1, le=10_000, description="events taken at a time")
    wait_s: float = Field(0.5, gt=0, le=5, description="how long one read waits for an event")
    claim_after_s: float = Field(5.0, gt=0, description="events of a silent worker are taken over after this")
    offline_s: float = Field(60.0, gt=0, description="how often behaviour goes to the offline store")
    timeout_s: float = Field(2.0, gt=0, description="time limit of one call to Valkey")
    metrics_host: str = "127.0.0.1"
    metrics_port: int = Field(0, ge=0, le=65535, description="for Prometheus; 0: any free port")


class PopularitySettings(BaseModel):
    """Decayed interaction counts."""

    half_life_s: int = Field(24 * 3600, ge=1)
    trending_half_life_s: int = Field(3600, ge=1)
    size: int = Field(1_000, ge=1, description="items kept a list")


class GatewaySettings(BaseModel):
    """The shops' door: HTTP in front of Triton."""

    host: str = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65535, description="0: any free port")
    triton: str = Field("", description="host:port of Triton's gRPC service; this machine's when empty")
    keys_file: Path | None = Field(None, description="hashed API keys; <home>/gateway/keys.json when not set")
    mode: Literal["ensemble", "precomputed"] = Field(
        "ensemble", description="precomputed: batch answers first, the ensemble for users without one"
    )
    deadline_s: float = Field(0.4, gt=0, description="longest an answer may take; callers may ask for less")
    max_calls: int = Field(32, ge=1, description="calls to Triton under way; beyond it fallbacks answer")
    reserve_s: float = Field(0.12, gt=0, description="part of the deadline that is kept for a fallback")
    batch_size: int = Field(32, ge=1, le=64, description="users in one call to Triton at most")
    batch_wait_s: float = Field(0.001, ge=0, le=0.1, description="wait for company while others are asked")
    batch_lanes: int = Field(3, ge=1, description="calls at once; beyond it users gather until one ends")
    max_body_bytes: int = Field(262_144, ge=1_024)
    rate_per_s: float = Field(500.0, gt=0, description="requests a second and key")
    burst: int = Field(1_000, ge=1, description="requests of a key at once")
    popular_refresh_s: float = Field(10.0, gt=0, description="how often the popular list is read")
    precompute_items: int = Field(50, ge=1, description="items of a batch answer")
    precompute_ttl_s: int = Field(2 * 24 * 3600, ge=1, description="life of a batch answer")

    @model_validator(mode="after")
    def _reserve_fits(self) -> GatewaySettings:
        if self.reserve_s >= self.deadline_s:
            raise ValueError("reserve_s must be less than deadline_s")
        return self
