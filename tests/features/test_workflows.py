from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest
from merlin.schema import Tags

from recsys import schema
from recsys.errors import BadData
from recsys.features import row_file, workflows
from recsys.features.workflows import PARTS, cardinalities, fit, load

OUT_OF_VOCABULARY = 2
ALL_FEATURES = {**schema.USER_FEATURES, **schema.CONTEXT_FEATURES, **schema.ITEM_FEATURES}


def test_features_have_the_names_and_dtypes_of_the_schema(shop):
    for part, features in {
        "user": schema.USER_FEATURES,
        "item": schema.ITEM_FEATURES,
        "context": schema.CONTEXT_FEATURES,
        "full": ALL_FEATURES,
    }.items():
        frame = shop.workflows.transform(shop.rows, part)
        assert dict(frame.dtypes) == features
        assert list(frame) == list(features)


def test_full_workflow_says_what_the_parts_say(shop):
    parts = pd.concat(
        [shop.workflows.transform(shop.rows, part) for part in ("user", "context", "item")], axis=1
    )
    pd.testing.assert_frame_equal(shop.workflows.transform(shop.rows), parts)


def test_unknown_and_unseen_get_the_out_of_vocabulary_code(shop):
    rows = shop.rows.head(4).copy()
    rows["user_id"] = [-1, 99, 10**18, shop.rows["user_id"].max()]
    rows["gender"] = [-1, 5, 0, 1]
    rows["top_category"] = [-1, 1, 0, 4]
    rows["device_type"] = [-1, 9, 0, 1]
    rows["item_id"] = [-1, 1, 0, 8]
    codes = shop.workflows.transform(rows)
    for name in ("user_id", "gender", "top_category", "device_type", "item_id"):
        unknown, known = codes[name].tolist()[:2], codes[name].tolist()[2:]
        assert unknown == [OUT_OF_VOCABULARY] * 2, name
        assert min(known[name == "user_id" :]) > OUT_OF_VOCABULARY, name
    assert codes["user_id"].tolist()[2] == OUT_OF_VOCABULARY


def test_every_item_of_the_catalogue_has_its_code_clicked_or_not(shop):
    assert shop.items["item_id"].max() not in set(shop.rows["item_id"])
    codes = shop.workflows.transform(shop.items, "item")
    assert sorted(codes["item_id"]) == list(range(3, 3 + len(shop.items)))


def test_statistics_are_of_known_users_and_of_the_catalogue(shop):
    known = shop.rows[shop.rows["user_id"] != -1]
    age = shop.workflows.transform(known, "user")["age"]
    assert age.mean() == pytest.approx(0, abs=1e-5)
    assert age.std() == pytest.approx(1, abs=1e-5)
    price = shop.workflows.transform(shop.items, "item")["price"]
    assert price.mean() == pytest.approx(0, abs=1e-5)
    assert price.std() == pytest.approx(1, abs=1e-5)


def test_age_buckets_open_at_their_boundaries(shop):
    rows = shop.rows.head(6).assign(age=[17, 18, 24.5, 25, 65, 150])
    assert shop.workflows.transform(rows, "user")["age_bucket"].tolist() == [0, 1, 1, 2, 5, 5]


@pytest.mark.parametrize(
    ("timestamp", "hour", "weekday"),
    [
        (0, 0, 3),  # Thursday, 1970-01-01
        (1_754_006_400, 0, 4),  # Friday, 2025-08-01 00:00 UTC
        (1_754_006_400 - 1, 23, 3),
        (1_754_006_400 + 2 * 86_400 + 18 * 3600 + 3599, 18, 6),
        (-1, 23, 2),  # Wednesday, 1969-12-31 23:59:59
        (253_402_300_799, 23, 4),  # Friday, 9999-12-31 23:59:59
    ],
)
def test_hour_and_weekday_in_utc(shop, timestamp, hour, weekday):
    frame = shop.workflows.transform(shop.rows.head(1).assign(timestamp=timestamp), "context").iloc[0]
    angle, day = 2 * np.pi * hour / 24, 2 * np.pi * weekday / 7
    expected = [np.sin(angle), np.cos(angle), np.sin(day), np.cos(day)]
    assert frame[["hour_sin", "hour_cos", "weekday_sin", "weekday_cos"]].tolist() == pytest.approx(
        expected, abs=1e-7
    )


def test_cardinalities_bound_the_codes(shop):
    sizes = cardinalities(shop.workflows)
    assert set(sizes) == {name for name, dtype in ALL_FEATURES.items() if dtype == np.int64}
    assert sizes["item_id"] == 3 + 7
    assert sizes["age_bucket"] == 6
    assert sizes["gender"] == 3 + 2
    codes = pd.concat([shop.workflows.transform(shop.rows), shop.workflows.transform(shop.items, "item")])
    assert all(codes[name].max() == size - 1 for name, size in sizes.items())


def test_schema_bears_the_tags_that_models_are_built_from(shop):
    features = shop.workflows.full.output_schema
    assert features.select_by_tag(Tags.USER_ID).column_names == ["user_id"]
    assert features.select_by_tag(Tags.ITEM_ID).column_names == ["item_id"]
    for tag, names in {
        Tags.USER: schema.USER_FEATURES,
        Tags.ITEM: schema.ITEM_FEATURES,
        Tags.CONTEXT: schema.CONTEXT_FEATURES,
    }.items():
        assert features.select_by_tag(tag).column_names == list(names)
    for name, dtype in ALL_FEATURES.items():
        tag = Tags.CATEGORICAL if dtype == np.int64 else Tags.CONTINUOUS
        assert tag in features[name].tags
        assert features[name].dtype.to_numpy == dtype


def test_moved_workflows_still_work(shop, tmp_path):
    shop.workflows.save(tmp_path / "here")
    expected = {part: shop.workflows.transform(shop.rows, part) for part in PARTS}
    shutil.move(tmp_path / "here", tmp_path / "elsewhere" / "there")
    moved = load(tmp_path / "elsewhere" / "there")
    for part in PARTS:
        pd.testing.assert_frame_equal(moved.transform(shop.rows, part), expected[part])
        pd.testing.assert_frame_equal(shop.workflows.transform(shop.rows, part), expected[part])


def test_schema_holds_no_path(shop):
    """A model keeps the schema; the vocabularies may lie elsewhere by then."""
    assert {column.properties.get("cat_path", "") for column in shop.workflows.full.output_schema} == {""}


def test_fit_saves_what_load_reads(shop):
    loaded = load(shop.out_dir)
    pd.testing.assert_frame_equal(loaded.transform(shop.rows), shop.workflows.transform(shop.rows))
    with pytest.raises(BadData, match="holds no fitted workflow"):
        load(shop.out_dir / "nowhere")


def test_fitting_again_in_the_same_folder_forgets_the_old_vocabulary(shop, tmp_path):
    fit(shop.rows, shop.items, tmp_path).transform(shop.rows)
    others = shop.rows[shop.rows["user_id"] != shop.rows["user_id"].max()]
    again = fit(others, shop.items.head(3), tmp_path)
    for refitted in (again, load(tmp_path)):
        codes = refitted.transform(shop.rows)
        gone = shop.rows["user_id"] == shop.rows["user_id"].max()
        assert (codes["user_id"][gone] == OUT_OF_VOCABULARY).all()
        assert (
            (codes["item_id"] == OUT_OF_VOCABULARY)
            == ~shop.rows["item_id"].isin([*shop.items["item_id"][:3]])
        ).all()


def test_loading_again_after_the_folder_was_replaced(shop, tmp_path):
    other = fit(shop.rows.head(20), shop.items.head(3), tmp_path / "other")
    shutil.copytree(shop.out_dir, tmp_path / "current")
    load(tmp_path / "current").transform(shop.rows)
    shutil.rmtree(tmp_path / "current")
    shutil.copytree(tmp_path / "other", tmp_path / "current")
    replaced = load(tmp_path / "current").transform(shop.rows)
    pd.testing.assert_frame_equal(replaced, other.transform(shop.rows))


def test_nothing_is_written_to_the_working_directory(shop, tmp_path, monkeypatch):
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    fit(shop.rows, shop.items, tmp_path / "out").transform(shop.rows)
    load(tmp_path / "out").transform(shop.rows)
    assert list((tmp_path / "cwd").iterdir()) == []


def test_relative_folder_may_be_left(shop, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fitted = fit(shop.rows, shop.items, "out")
    monkeypatch.chdir("/")
    pd.testing.assert_frame_equal(fitted.transform(shop.rows), shop.workflows.transform(shop.rows))


def test_chunks_and_index_do_not_show(shop, monkeypatch):
    expected = shop.workflows.transform(shop.rows)
    monkeypatch.setattr(workflows, "_CHUNK_ROWS", 7)
    shuffled = shop.rows.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(shop.workflows.transform(shuffled), expected.loc[shuffled.index])
    empty = shop.workflows.transform(shop.rows.head(0))
    assert len(empty) == 0
    assert dict(empty.dtypes) == ALL_FEATURES


def test_columns_without_any_known_value(shop, tmp_path):
    rows = shop.rows.assign(top_category=-1, device_type=-1)
    fitted = fit(rows, shop.items, tmp_path)
    codes = fitted.transform(shop.rows)
    assert (codes[["top_category", "device_type"]] == OUT_OF_VOCABULARY).all(axis=None)


@pytest.mark.parametrize("part_rows", [1_000, 30])
def test_a_file_is_fitted_on_as_its_frame_is(shop, tmp_path, monkeypatch, part_rows):
    monkeypatch.setattr(row_file, "PART_ROWS", part_rows)
    file = row_file.RowFile.write(tmp_path / "rows.parquet", [shop.rows.head(90), shop.rows[90:]])
    assert len(file.parts()) == (1 if part_rows == 1_000 else 7)
    found = fit(file, shop.items, tmp_path / "fitted").transform(shop.rows)
    expected = shop.workflows.transform(shop.rows)
    if part_rows == 1_000:
        pd.testing.assert_frame_equal(found, expected, check_exact=True)
    else:  # codes of equally frequent values may change places, and sums of parts round differently
        pd.testing.assert_series_equal(found["age"], expected["age"], rtol=1e-5, atol=1e-6)
        for name in ("user_id", "gender", "top_category", "device_type"):
            assert len({*zip(found[name], expected[name], strict=True)}) == found[name].nunique()


def test_a_column_of_a_file_without_any_known_value(shop, tmp_path):
    rows = shop.rows.assign(top_category=-1)
    file = row_file.RowFile.write(tmp_path / "rows.parquet", [rows])
    codes = fit(file, shop.items, tmp_path / "fitted").transform(shop.rows)
    assert (codes["top_category"] == OUT_OF_VOCABULARY).all()


def test_bad_columns_are_refused(shop):
    with pytest.raises(BadData, match="column age: not among"):
        shop.workflows.transform(shop.rows.drop(columns="age"), "user")
    for values in (shop.rows["user_id"].astype("float64"), shop.rows["user_id"].astype("Int64"), "x"):
        with pytest.raises(BadData, match="column user_id: holds"):
            shop.workflows.transform(shop.rows.assign(user_id=values), "user")
