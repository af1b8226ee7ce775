"""Whether the behaviour worker of this container lives: the command of its liveness probe.

    python -m recsys.online.worker_probe

Exits 1 only when Valkey answers and holds no sign of life of this worker: while Valkey is away the worker
waits for it, and a restart would help nobody.
"""

from __future__ import annotations

import socket
import sys

import redis

from recsys import valkey
from recsys.online import keys
from recsys.settings import Settings, get_settings


def is_stuck(settings: Settings) -> bool:
    """Whether this container's worker has stopped giving signs of life.

    Args:
        settings: The worker's name and where Valkey is.
    """
    client = valkey.connect(settings.valkey)
    try:
        return not client.exists(keys.worker(settings.worker.name or socket.gethostname()))
    except redis.RedisError:
        return False
    finally:
        client.close()


if __name__ == "__main__":
    sys.exit(1 if is_stuck(get_settings()) else 0)
