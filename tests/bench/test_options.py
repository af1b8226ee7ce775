"""Who is asked in which way."""

from __future__ import annotations

from recsys.bench.cell import Cell
from recsys.bench.options import GATEWAYS, Options

HALF = Cell(mode="open", concurrency=0, share=0.5)


def test_the_variants_are_asked_in_every_way() -> None:
    options = Options()
    for cell in (*options.cells(), HALF):
        assert options.asks("ensemble", cell)
        assert options.asks("reference", cell)


def test_a_gateway_is_asked_for_one_user_at_a_time() -> None:
    for name in GATEWAYS:
        assert Options().asks(name, HALF)
        assert not Options().asks(name, Cell(rows=16))


def test_what_is_measured_for_one_ratio_is_not_measured_beyond_it() -> None:
    options = Options()
    assert [cell.concurrency for cell in options.cells() if options.asks("reference_batched", cell)] == [
        4,
        16,
        64,
    ]
    assert not options.asks("reference_batched", HALF)
    assert [cell.concurrency for cell in options.cells() if options.asks("ensemble_static", cell)] == [1, 16]
    assert not options.asks("ensemble_static", HALF)
    assert not options.asks("ensemble_static", Cell(rows=16))
