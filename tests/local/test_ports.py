from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from recsys.errors import RecsysError
from recsys.local.ports import choose_port, free_port, is_taken


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_listened_port_is_taken(listening: int) -> None:
    assert is_taken(listening)


def test_a_listener_on_every_address_takes_the_port() -> None:
    with socket.create_server(("0.0.0.0", 0)) as server:
        assert is_taken(server.getsockname()[1])


def test_a_free_port_is_not_taken() -> None:
    assert not is_taken(free_port())


def test_the_wanted_port_is_given() -> None:
    port = free_port()
    assert choose_port(port, "Valkey", "RECSYS_X") == port


def test_zero_means_any() -> None:
    assert choose_port(0, "Valkey", "RECSYS_X") > 0


def test_a_taken_port_names_itself_and_the_setting(listening: int) -> None:
    with pytest.raises(RecsysError, match=rf"port {listening} of Valkey: .* RECSYS_X"):
        choose_port(listening, "Valkey", "RECSYS_X")
