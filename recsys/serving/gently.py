"""Work that yields the CPU to everything else: a model loads while others answer."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Final, TypeVar

VARIABLE: Final = "RECSYS_SERVING__LOAD_NICE"
"""Environment variable with the niceness, read directly: most model processes do without the settings."""

NICENESS: Final = 5
"""Where the environment says nothing; the default of `ServingSettings.load_nice`. Beside an eager thread it
gets a quarter of a core."""

T = TypeVar("T")


def gently(work: Callable[[], T], niceness: int) -> T:
    """Do some work in a thread of low priority and wait for it.

    Linux gives each thread a niceness of its own, and a process without privileges cannot take back what it
    has given away; so the thread has it, and this one is as eager afterwards as before. Threads that the work
    starts stay as nice.

    Args:
        work: What to do.
        niceness: Added to this thread's, 0 to 19; 0 does it right here.

    Returns:
        What the work returned.
    """
    if niceness <= 0:
        return work()
    found: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            here = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, here, os.getpriority(os.PRIO_PROCESS, here) + niceness)
            found.append(work())
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return found[0]


def load_niceness() -> int:
    """What the environment says, else `NICENESS`."""
    return int(os.environ.get(VARIABLE) or NICENESS)
