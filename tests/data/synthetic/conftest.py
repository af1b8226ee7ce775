from __future__ import annotations

from dataclasses import dataclass

import pytest

from recsys.data.synthetic.catalogue import Catalogue, make_catalogue
from recsys.data.synthetic.events import Day, Simulator
from recsys.data.synthetic.personas import Shoppers, make_shoppers
from recsys.data.synthetic.utility import Utility


@dataclass(frozen=True)
class World:
    catalogue: Catalogue
    shoppers: Shoppers
    utility: Utility
    simulator: Simulator
    day: Day


@pytest.fixture(scope="session")
def world() -> World:
    """A small shop and one of its days."""
    catalogue, shoppers = make_catalogue(200, 3), make_shoppers(400, 3)
    utility = Utility(catalogue, shoppers, 14, 3)
    simulator = Simulator(catalogue, shoppers, utility, 3)
    return World(catalogue, shoppers, utility, simulator, simulator.day(9, 6000))
