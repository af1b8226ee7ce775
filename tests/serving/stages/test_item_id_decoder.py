"""Item indexes become the shop's ids; a pad stays a pad."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from recsys import schema
from recsys.serving.stages.item_id_decoder import load


def test_decodes_and_keeps_pads(release: Path) -> None:
    ids = np.load(release / schema.ITEM_IDS_FILE)
    out = load(release, {}).run({"ordered_items": np.array([[3, 0, -1], [119, 120, -9]])})["ordered_ids"]
    assert out.tolist() == [[ids[3], ids[0], -1], [ids[119], -1, -1]]
    assert out.dtype == np.int64
