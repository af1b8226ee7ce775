"""How the online loop talks to Valkey: errors in one form, scripts sent once a pipeline."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import redis

from recsys import valkey


@contextmanager
def answering() -> Iterator[None]:
    """Turn whatever the client raises when Valkey does not answer into `Unavailable`.

    Raises:
        Unavailable: The block raised an error of the client or of its socket.
    """
    try:
        yield
    except (redis.RedisError, OSError) as error:
        raise valkey.unavailable(error) from error


class Script:
    """A Lua script that is sent whole once a pipeline and by its hash after that.

    So a server that restarted and lost its script cache needs no second try, which a call with an effect
    could not have.

    Args:
        text: The script's source.
    """

    def __init__(self, text: str) -> None:
        self.text = text.strip()
        # The protocol names scripts by SHA-1; nothing here depends on its strength.
        self.sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()

    def queue(self, pipeline: Any, keys: Sequence[str], arguments: Sequence[Any]) -> None:
        """Append one call to a pipeline.

        Args:
            pipeline: A pipeline, not executed yet.
            keys: KEYS of the script.
            arguments: ARGV of the script.
        """
        sent = any(command[0][:2] == ("EVAL", self.text) for command in pipeline.command_stack)
        name, source = ("EVALSHA", self.sha) if sent else ("EVAL", self.text)
        pipeline.execute_command(name, source, len(keys), *keys, *arguments)

    def call(self, client: redis.Redis, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        """Run it by itself.

        Args:
            client: Client of the server.
            keys: KEYS of the script.
            arguments: ARGV of the script.

        Returns:
            What the script returned.
        """
        return client.eval(self.text, len(keys), *keys, *arguments)
