"""First step: a clean copy of the data set."""

from kfp.dsl import Dataset, Input, Metrics, Output, component

from components.image import TRAINING_IMAGE


@component(base_image=TRAINING_IMAGE, install_kfp_package=False)
def validate(source: Input[Dataset], data: Output[Dataset], report: Output[Metrics]) -> None:
    """Checks a data set and writes a clean copy; bad rows are set aside and counted.

    Args:
        source: The data set as it came.
        data: Its clean copy, with `quarantine.parquet` and `validation.json`.
        report: Rows read and rows set aside.
    """
    from recsys.data.validate import validate as validate_data
    from recsys.kubeflow.events import report as say

    found = validate_data(source.path, data.path, say)
    report.log_metric("quarantined", found.quarantined)
    for name, table in found.tables.items():
        report.log_metric(f"{name} rows", table.rows)
