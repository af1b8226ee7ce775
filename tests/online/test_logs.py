from __future__ import annotations

import json
import logging

from recsys.online.logs import JsonFormatter, request_id


def line(message: str, *arguments: object, **more: object) -> dict:
    record = logging.getLogger("shop").makeRecord("shop", logging.INFO, "f", 1, message, arguments, None)
    vars(record).update(more)
    text = JsonFormatter("gateway").format(record)
    assert "\n" not in text
    return json.loads(text)


def test_a_line_tells_what_happened_and_for_which_request() -> None:
    token = request_id.set("abc")
    try:
        told = line("sold %d\nitems", 3, extra_field={"a": 1})
    finally:
        request_id.reset(token)
    assert told["message"] == "sold 3\nitems"
    assert (told["level"], told["service"], told["request_id"]) == ("info", "gateway", "abc")
    assert told["extra_field"] == {"a": 1}
    assert told["time"].endswith("Z")


def test_outside_a_request_there_is_no_id() -> None:
    assert "request_id" not in line("starting")


def test_an_exception_stays_on_its_line() -> None:
    error = ValueError("broken\nbadly")
    told = line("unexpected", exc_info=(ValueError, error, None))
    assert "ValueError" in told["exception"]


def test_what_json_does_not_know_is_written_as_text() -> None:
    assert line("odd", odd=object())["odd"].startswith("<object")
