from __future__ import annotations

import os
import threading

import pytest

from recsys.serving.gently import NICENESS, VARIABLE, gently, load_niceness
from recsys.settings import Settings


def niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def test_the_work_is_nice_and_this_thread_as_before() -> None:
    before = niceness()
    assert gently(niceness, 3) == min(19, before + 3)
    assert niceness() == before


def test_without_niceness_it_is_done_right_here() -> None:
    assert gently(threading.get_native_id, 0) == threading.get_native_id()


@pytest.mark.parametrize("amount", [0, 5])
def test_what_the_work_raises_is_raised_here(amount: int) -> None:
    def work() -> None:
        raise ValueError("damaged")

    with pytest.raises(ValueError, match="damaged"):
        gently(work, amount)


def test_the_environment_says_how_nice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert load_niceness() == NICENESS == Settings().serving.load_nice
    monkeypatch.setenv(VARIABLE, "0")
    assert load_niceness() == 0
    monkeypatch.setenv(VARIABLE, "7")
    assert load_niceness() == 7
