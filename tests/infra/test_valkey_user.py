"""The ACL of cache.yaml on a real Valkey server: enough for the application, and no more."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis
from factories.stacks import resources

NEEDED = (
    "PING", "HGETALL k", "HMGET k f", "HSET k f v", "HDEL k f", "EXPIRE k 1", "DEL k", "UNLINK k", "MGET k",
    "SET k v", "XADD s * f v", "XGROUP CREATE s g $", "XREADGROUP GROUP g c STREAMS s >", "XLEN s",
    "XAUTOCLAIM s g c 1 0", "XACK s g 1-1", "XRANGE s - +", "ZADD z 1 m", "ZINCRBY z 1 m", "ZREVRANGE z 0 1",
    "SETBIT b 1 1", "SCAN 0", "EXISTS k", "XINFO GROUPS s", "INFO", "EVAL x 0", "EVALSHA x 0",
    "SCRIPT LOAD x", "MULTI", "EXEC",
)  # fmt: skip
FORBIDDEN = (
    "FLUSHALL", "FLUSHDB", "KEYS *", "CONFIG SET a b", "CONFIG GET a", "MONITOR", "DEBUG SLEEP 1", "SHUTDOWN",
    "ACL LIST", "CLIENT KILL ID 1", "REPLICAOF h 1", "SAVE", "MODULE LIST", "SUBSCRIBE c",
)  # fmt: skip


@pytest.fixture
def user(valkey: redis.Redis) -> Iterator[str]:
    (properties,) = resources("cache", "AWS::ElastiCache::User").values()
    name = "recsys-app"
    valkey.execute_command("ACL", "SETUSER", name, *properties["AccessString"].split(), ">password")
    yield name
    valkey.execute_command("ACL", "DELUSER", name)


@pytest.mark.parametrize("command", NEEDED)
def test_what_the_application_calls_is_allowed(valkey: redis.Redis, user: str, command: str) -> None:
    assert valkey.execute_command("ACL", "DRYRUN", user, *command.split()) in {b"OK", "OK"}


@pytest.mark.parametrize("command", FORBIDDEN)
def test_what_would_hurt_is_refused(valkey: redis.Redis, user: str, command: str) -> None:
    answer = valkey.execute_command("ACL", "DRYRUN", user, *command.split())
    assert b"no permissions" in (answer if isinstance(answer, bytes) else answer.encode())
