from __future__ import annotations

import pickle

import pytest

from recsys.errors import BadUse, RecsysError, Unavailable, told_in_a_line


@pytest.mark.parametrize(("error", "code"), [(Unavailable, 1), (BadUse, 2)])
def test_a_failure_ends_the_program_in_one_line(
    error: type[RecsysError], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended, told_in_a_line():
        raise error("the store", "it does not answer", "Start it")
    assert ended.value.code == code
    assert capsys.readouterr().err == "the store: it does not answer. Start it\n"


def test_what_nobody_foresaw_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError), told_in_a_line():
        raise ZeroDivisionError


def test_an_error_crosses_from_process_to_process_whole() -> None:
    there = pickle.loads(pickle.dumps(BadUse("a", "b", "c")))
    assert (type(there), str(there)) == (BadUse, "a: b. c")
