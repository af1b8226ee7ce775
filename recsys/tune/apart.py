"""A call in a process of its own, that ends with whoever made it."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any, TypeVar

_Result = TypeVar("_Result")


def apart(function: Callable[..., _Result], *arguments: Any) -> _Result:
    """Calls in a process of its own, whose memory goes with it and whose TensorFlow is fresh.

    Whatever ends the caller, even a signal that nobody can catch, ends that process too: a training of many
    minutes would go on unseen.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, initializer=_end_with_the_caller) as pool:
        return pool.submit(function, *arguments).result()


def _end_with_the_caller() -> None:
    threading.Thread(target=_wait_and_end, name="caller", daemon=True).start()


def _wait_and_end() -> None:
    caller = multiprocessing.parent_process()
    if caller is not None:
        caller.join()
        os._exit(1)
