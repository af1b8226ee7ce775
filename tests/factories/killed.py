"""A process that is killed at a chosen step."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from typing import Any


def run_and_die(steps: Sequence[tuple[Any, str]], action: Callable[[], object], at: int) -> bool:
    """Runs `action` in a fork that kills itself before its `at`-th call of one of `steps`, (owner, name).

    Returns:
        Whether it was killed; False means that it ended before that.
    """
    child = os.fork()
    if child == 0:
        left = at

        def dying(original: Callable[..., Any]) -> Callable[..., Any]:
            def step(*args: Any, **kwargs: Any) -> Any:
                nonlocal left
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return original(*args, **kwargs)

            return step

        for owner, name in steps:
            setattr(owner, name, dying(getattr(owner, name)))
        try:
            action()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)
