from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.data.splits import evaluation_sample, positives
from recsys.data.synthetic import generate
from recsys.data.synthetic.oracle import rank_metrics
from recsys.data.validate import validate
from recsys.errors import BadUse, RecsysError

SMALL = {"users": 600, "items": 150, "rows": 14_000, "seed": 5}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("made") / "shop"
    generate(out, images=False, **SMALL)
    return out


def _digests(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(tmp_path):
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        generate(tmp_path / name, users=50, items=8, rows=600, days=3, seed=seed)
    one, again, other = (_digests(tmp_path / name) for name in ("one", "again", "other"))
    assert one == again
    assert "item_images/8.jpg" in one
    assert all(one[name] != other[name] for name in one if name.endswith(".parquet"))


def test_it_is_a_data_set_without_a_fault(made, tmp_path):
    report = validate(made, tmp_path / "clean")
    assert report.quarantined == 0
    assert report.items_without_description == 0
    assert all(not table.ignored_columns for table in report.tables.values())
    assert Dataset.open(tmp_path / "clean").fingerprint() == Dataset.open(made).fingerprint()


def test_its_size_and_order(made):
    dataset = Dataset.open(made)
    assert (len(dataset.items), len(dataset.users), dataset.days) == (150, 600, list(range(14)))
    frame = dataset.rows(dataset.days)
    assert len(frame) == SMALL["rows"]
    assert frame["timestamp"].is_monotonic_increasing  # so each file is sorted, and no day overlaps another
    day = (frame["timestamp"] - 1754006400) // 86400
    assert (day == frame["day"]).all()
    assert not frame.drop(columns="day").duplicated().any()


def test_events_and_clicks_agree(made):
    frame = Dataset.open(made).rows(range(14))
    assert ((frame["event_type"] == "impression") == (frame["click"] == 0)).all()
    assert set(frame["event_type"]) == {"impression", "view", "cart", "purchase"}
    assert frame["click"].mean() == pytest.approx(0.5, abs=0.01)


def test_meta_names_the_codes(made):
    dataset = Dataset.open(made)
    meta, items = dataset.meta, dataset.items
    assert (meta["users"], meta["items"], meta["rows"], meta["seed"]) == (600, 150, 14_000, 5)
    assert meta["first_timestamp"] == 1754006400
    for level in ("category_l1", "category_l2"):
        assert [meta[level][code] for code in items[level]] == items[f"{level}_name"].tolist()
    assert set(meta["oracle_last_day"]) == {"hit@10", "hit@100", "hit@300", "mrr", "ndcg@10", "auc"}


def test_what_can_be_learned_lies_between_popularity_and_the_oracle(made):
    dataset = Dataset.open(made)
    train, sample = positives(dataset.interactions(range(9))), evaluation_sample(dataset)
    popular = train["item_id"].value_counts().reindex(dataset.items["item_id"], fill_value=0).to_numpy()
    l1 = dataset.items["category_l1"].to_numpy()
    liked = (
        train.merge(dataset.items).groupby("user_id")["category_l1"].agg(lambda c: c.value_counts().index[0])
    )
    mine = liked.reindex(sample["user_id"]).to_numpy()[:, None] == l1
    place = sample["item_id"].to_numpy() - 1

    def score(values: np.ndarray) -> float:
        own = np.take_along_axis(values, place[:, None], axis=1)
        return rank_metrics(1 + (values > own).sum(axis=1))["hit@10"]

    by_popularity = score(np.broadcast_to(popular, mine.shape))
    by_category = score(popular + 1e6 * mine)
    oracle = dataset.meta["oracle_valid_days"]["hit@10"]
    blind = dataset.meta["oracle_valid_days_no_intent"]["hit@10"]
    assert 1.3 * by_popularity < by_category < blind < oracle


def test_images_are_drawn_and_progress_climbs(tmp_path):
    seen = []
    generate(
        tmp_path,
        users=10,
        items=70,
        rows=100,
        days=2,
        progress=lambda what, share: seen.append((what, share)),
    )
    shares = [share for _, share in seen]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert {"catalogue", "day_01.parquet", schema.IMAGES_DIR} <= {what for what, _ in seen}
    dataset = Dataset.open(tmp_path)
    for item_id in dataset.items["item_id"]:
        with Image.open(dataset.image_path(item_id)) as image:
            assert (image.format, image.size, image.mode) == ("JPEG", (256, 256), "RGB")


@pytest.mark.parametrize(
    "sizes",
    [{"users": 1, "items": 2, "rows": 2, "days": 1}, {"users": 3, "items": 5, "rows": 40, "days": 20}],
)
def test_tiny_shops_are_whole(tmp_path, sizes):
    generate(tmp_path / "shop", images=False, **sizes)
    assert validate(tmp_path / "shop", tmp_path / "clean").quarantined == 0
    assert len(Dataset.open(tmp_path / "shop").rows(range(sizes["days"]))) == sizes["rows"]


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"users": 0}, "users: 0 is too few. Give at least 1"),
        ({"items": 1}, "items: 1 is too few. Give at least 2"),
        ({"days": 0}, "days: 0 is too few. Give at least 1"),
        ({"rows": 20, "days": 14}, "rows: 20 rows do not fill 14 days. Give at least 2 a day"),
    ],
)
def test_impossible_sizes_are_bad_use(tmp_path, sizes, message):
    with pytest.raises(BadUse) as error:
        generate(tmp_path / "shop", images=False, **sizes)
    assert message in str(error.value)
    assert not (tmp_path / "shop").exists()


def test_what_is_there_is_never_overwritten(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(BadUse, match="holds something else"):
        generate(tmp_path, **SMALL)
    with pytest.raises(BadUse, match="holds something else"):
        generate(tmp_path / "letter.txt", **SMALL)


def test_a_place_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RecsysError, match=r"not a directory. Free the disk or give another folder"):
        generate(tmp_path / "file" / "shop", **SMALL)


def test_an_interrupted_run_leaves_nothing_in_the_way(tmp_path):
    def interrupt(what: str, share: float) -> None:
        if what == "day_01.parquet":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate(tmp_path / "shop", images=False, progress=interrupt, **SMALL)
    assert list(tmp_path.iterdir()) == []
    generate(tmp_path / "shop", users=5, items=5, rows=40, days=2, images=False)
    assert Dataset.open(tmp_path / "shop").days == [0, 1]


def test_meta_is_plain_json(made):
    assert json.loads((made / "meta.json").read_text())["hot_late_category"] == "groceries"
