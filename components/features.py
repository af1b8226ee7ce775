"""Training rows, the workflows fitted on them, and what serving needs of both."""

from kfp.dsl import Dataset, Input, Model, Output, component

from components.image import TRAINING_IMAGE


@component(base_image=TRAINING_IMAGE, install_kfp_package=False)
def features(
    data: Input[Dataset],
    recipe: dict,
    rows: Output[Dataset],
    workflows: Output[Model],
    serving: Output[Model],
) -> None:
    """Joins the training days point-in-time, fits the NVTabular workflows and exports them as arrays.

    Args:
        data: The validated data set.
        recipe: Settings of the training.
        rows: `rows.parquet`, the raw training rows with cold-start masking.
        workflows: The fitted NVTabular workflows, for the training steps.
        serving: Files of the release: the workflows' array form, the mean age, Feast's rows, and for a later
            fine-tuning the fitted workflows and the recipe.
    """
    import json
    from pathlib import Path

    from recsys import schema
    from recsys.data.dataset import Dataset as ShopData
    from recsys.data.splits import train_days
    from recsys.features.backend import cluster
    from recsys.features.row_file import ROWS_FILE, RowFile
    from recsys.features.training import default_age, training_blocks
    from recsys.features.workflows import export_arrays, fit
    from recsys.kubeflow.events import report
    from recsys.kubeflow.recipe import settings_of
    from recsys.release.assemble import FEAST_DIR, write_feast_sources

    settings = settings_of(recipe)
    dataset = ShopData.open(data.path)
    days = train_days(dataset)
    report(f"joining {len(days)} days", 0.0)
    mean_age = default_age(dataset)
    blocks = training_blocks(dataset, days, mean_age, settings=settings.training)
    made = RowFile.write(Path(rows.path, ROWS_FILE), blocks)
    rows.metadata["rows"] = len(made)

    report(f"fitting workflows on {len(made):,} rows", 0.3)
    with cluster():
        fitted = fit(made, dataset.items, workflows.path)
    export_arrays(fitted, serving.path)
    defaults = json.dumps({"mean_age": mean_age}) + "\n"
    Path(serving.path, schema.DEFAULTS_FILE).write_text(defaults, encoding="utf-8")
    fitted.save(Path(serving.path, schema.FITTED_WORKFLOWS_DIR))
    built_with = settings.training.model_dump_json(indent=1) + "\n"
    Path(serving.path, schema.RECIPE_FILE).write_text(built_with, encoding="utf-8")

    report("writing Feast's rows", 0.8)
    write_feast_sources(dataset, days, Path(serving.path, FEAST_DIR))
