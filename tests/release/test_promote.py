"""All replicas or none, with replicas that do as they are told."""

from __future__ import annotations

import pytest
from factories.memory_files import MemoryFiles

from recsys.errors import BadUse, RecsysError
from recsys.release.promote import Promoter
from recsys.release.replica import Replica
from recsys.serving.control import Control
from recsys.serving.graph import ENSEMBLE, FUSED, MODELS, steps
from recsys.serving.layout import CHALLENGER, Layout, only


class FakeTriton(Control):
    """Loads what its files say; fails when told."""

    def __init__(self, files: MemoryFiles, variant: str = "ensemble") -> None:
        super().__init__("127.0.0.1:1")
        self.files = files
        self.models = [model.name for model in steps(variant)]
        self.fails: set[tuple[str, int]] = set()
        self.ready = {(model, n) for model in self.models for n in files.layout.versions}
        self.ready |= {(ENSEMBLE, files.layout.ensemble)}
        self.loads: list[str] = []

    def load(self, name: str) -> None:
        self.loads.append(name)
        wanted = {ENSEMBLE: {self.files.layout.ensemble}, CHALLENGER: {self.files.layout.challenger}}.get(
            name, set(self.files.layout.versions)
        )
        if any((name, number) in self.fails for number in wanted):
            raise RecsysError("Triton", f"{name} does not load", "See its log")
        # An ensemble over a version that is not loaded is refused by the real one.
        if name in (ENSEMBLE, CHALLENGER):
            assert all((model, number) in self.ready for model in self.models for number in wanted)
        self.ready = {each for each in self.ready if each[0] != name} | {(name, n) for n in wanted}

    def unload(self, name: str) -> None:
        self.ready = {each for each in self.ready if each[0] != name}

    def states(self) -> dict[tuple[str, int], str]:
        return dict.fromkeys(self.ready, "READY")


class Fleet:
    """Some replicas on one release."""

    def __init__(self, *names: str, variant: str = "ensemble") -> None:
        self.variant = variant
        self.files = {name: MemoryFiles(only(1)) for name in names}
        self.tritons = {name: FakeTriton(files, variant) for name, files in self.files.items()}
        self.pointer = 1

    def find(self) -> list[Replica]:
        return [Replica(name, self.tritons[name], self.files[name], self.variant) for name in self.files]

    def serving(self) -> dict[str, Layout]:
        return {name: files.layout for name, files in self.files.items()}

    def promote(self, number: int, compare=lambda _: None, **options) -> object:
        def commit() -> None:
            assert {layout.ensemble for layout in self.serving().values()} == {number}
            self.pointer = number

        return Promoter(self.find, drain_s=0, **options).promote(number, compare, commit)


@pytest.mark.parametrize("at_once", [1, 4])
def test_all_replicas_come_to_the_release(at_once: int) -> None:
    fleet = Fleet("a", "b", "c")
    done = fleet.promote(2, at_once=at_once)
    assert done.replicas == ["a", "b", "c"]
    assert set(fleet.serving().values()) == {only(2)}
    assert fleet.pointer == 2
    for name, triton in fleet.tritons.items():
        assert {number for _, number in triton.ready} == {2}
        assert not any(model == CHALLENGER for model, _ in triton.ready)
        assert fleet.files[name].cleared == 1


def test_the_fused_variant_is_promoted_by_its_single_model() -> None:
    fleet = Fleet("a", "b", variant="fused")
    fleet.promote(2)
    assert fleet.pointer == 2
    for triton in fleet.tritons.values():
        assert triton.ready == {(FUSED, 2), (ENSEMBLE, 2)}
        assert set(triton.loads) == {FUSED, ENSEMBLE, CHALLENGER}


@pytest.mark.parametrize("model", [MODELS[0].name, MODELS[-1].name, ENSEMBLE, CHALLENGER])
@pytest.mark.parametrize("at_once", [1, 2])
def test_one_that_fails_brings_the_others_back(model: str, at_once: int) -> None:
    fleet = Fleet("a", "b")
    fleet.tritons["b"].fails = {(model, 2)}
    with pytest.raises(RecsysError, match=f"{model} does not load"):
        fleet.promote(2, at_once=at_once)
    assert fleet.pointer == 1
    assert set(fleet.serving().values()) == {only(1)}
    for triton in fleet.tritons.values():
        assert triton.ready == {(each.name, 1) for each in MODELS} | {(ENSEMBLE, 1)}


def test_answers_are_compared_before_anything_is_switched() -> None:
    fleet = Fleet("a", "b")

    def compare(replica: Replica) -> None:
        assert {layout.ensemble for layout in fleet.serving().values()} == {1}
        assert replica.layout().challenger == 2
        if replica.name == "b":
            raise RecsysError("b", "answers otherwise", "Do not serve it")

    with pytest.raises(RecsysError, match="answers otherwise"):
        fleet.promote(2, compare)
    assert set(fleet.serving().values()) == {only(1)}


def test_a_pointer_that_does_not_move_brings_all_back() -> None:
    fleet = Fleet("a", "b")
    with pytest.raises(OSError, match="full"):
        Promoter(fleet.find).promote(2, lambda _: None, _full)
    assert set(fleet.serving().values()) == {only(1)}


def _full() -> None:
    raise OSError("disk full")


def test_an_interrupt_brings_all_back() -> None:
    fleet = Fleet("a", "b")

    def compare(replica: Replica) -> None:
        if replica.name == "b":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fleet.promote(2, compare)
    assert set(fleet.serving().values()) == {only(1)}


def test_the_release_before_stays_on_standby_and_going_back_loads_no_model() -> None:
    fleet = Fleet("a", "b")
    fleet.promote(2, standby=True)
    assert set(fleet.serving().values()) == {Layout((1, 2), 2)}
    for triton in fleet.tritons.values():
        triton.loads.clear()
    switched: list[list[str]] = []
    fleet.promote(1, lambda replica: switched.append(list(fleet.tritons[replica.name].loads)), standby=True)
    assert switched == [[CHALLENGER], [CHALLENGER]]
    assert set(fleet.serving().values()) == {only(1)}


def test_a_third_release_pushes_the_first_out() -> None:
    fleet = Fleet("a")
    fleet.promote(2, standby=True)
    fleet.promote(3, standby=True)
    assert fleet.serving() == {"a": Layout((2, 3), 3)}


def test_a_replica_that_comes_late_is_brought_along() -> None:
    fleet, late = Fleet("a"), Fleet("b")
    begun = fleet.find()

    def find() -> list[Replica]:
        return begun if fleet.pointer == 1 else [*fleet.find(), *late.find()]

    def commit() -> None:
        fleet.pointer = 2

    done = Promoter(find, drain_s=0).promote(2, lambda _: None, commit)
    assert done.replicas == ["a", "b"]
    assert late.serving() == {"b": only(2)}


def test_what_cannot_be_tidied_up_is_told_and_changes_nothing() -> None:
    fleet = Fleet("a", "b")
    fleet.tritons["a"].unload = _refuse  # type: ignore[method-assign]
    done = fleet.promote(2)
    assert len(done.unsettled) == 1
    assert fleet.pointer == 2
    assert {layout.ensemble for layout in fleet.serving().values()} == {2}


def _refuse(_: str) -> None:
    raise RecsysError("Triton", "refused", "See its log")


def test_a_promotion_that_was_killed_is_completed_either_way() -> None:
    for number in (1, 2):
        fleet = Fleet("a", "b")
        first = fleet.find()[0]
        first.add(2)
        first.switch(2)
        fleet.promote(number)
        assert set(fleet.serving().values()) == {only(number)}


def test_a_challenger_is_loaded_beside_and_withdrawn() -> None:
    fleet = Fleet("a", "b")
    promoter = Promoter(fleet.find, drain_s=0)
    promoter.challenge(2, lambda _: None)
    assert set(fleet.serving().values()) == {Layout((1, 2), 1, 2)}
    with pytest.raises(BadUse, match="release 2 is its challenger"):
        promoter.challenge(3, lambda _: None)
    promoter.withdraw()
    assert set(fleet.serving().values()) == {only(1)}


def test_without_replicas_there_is_nothing_to_do() -> None:
    with pytest.raises(BadUse, match="there are none"):
        Promoter(list).promote(2, lambda _: None, lambda: None)
