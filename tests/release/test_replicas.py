from __future__ import annotations

import pytest

from recsys.errors import BadUse, Unavailable
from recsys.release.replicas import addresses, beside


def test_a_list_is_taken_as_it_is_none_twice() -> None:
    assert addresses(["b:8000", "a:8000", "b:8000"]) == ["a:8000", "b:8000"]


def test_a_name_stands_for_all_its_addresses() -> None:
    asked = []

    def resolve(name: str, port: int) -> set[str]:
        asked.append((name, port))
        return {"10.0.0.2", "10.0.0.1", "fd00::1"}

    found = addresses(["dns:recsys-triton:8000", "10.0.0.1:8000"], resolve)
    assert asked == [("recsys-triton", 8000)]
    assert found == ["10.0.0.1:8000", "10.0.0.2:8000", "[fd00::1]:8000"]


def test_the_system_looks_names_up() -> None:
    assert "127.0.0.1:8000" in addresses(["dns:localhost:8000"])
    with pytest.raises(Unavailable, match=r"name no-such-name\.invalid"):
        addresses(["dns:no-such-name.invalid:8000"])


@pytest.mark.parametrize("wrong", ["host", ":8000", "host:", "host:http", "host:0", "host:70000", "dns:name"])
def test_what_is_no_address_is_refused(wrong: str) -> None:
    with pytest.raises(BadUse, match="no address"):
        addresses([wrong])


def test_the_agent_is_beside_its_server() -> None:
    assert beside("10.0.0.1:8000", 8003) == "10.0.0.1:8003"
    assert beside("[fd00::1]:8000", 8003) == "[fd00::1]:8003"
