"""Last step of a fine-tuning: the release takes its parent's place."""

from kfp.dsl import component

from components.image import TRAINING_IMAGE


@component(base_image=TRAINING_IMAGE, install_kfp_package=False)
def promote(release: int, parent: int, reason: str, store: str, hold: bool) -> bool:
    """Makes a release the current one if its gate let it through and its parent still is.

    Args:
        release: The published release.
        parent: The release that it was made from.
        reason: Why the gate refused it; empty when it passed.
        store: The release store: a folder, or a URL such as `s3://bucket/releases`.
        hold: Leave it to whoever runs the pipeline, who can reach the servers.

    Returns:
        Whether it is the current one now.
    """
    from recsys.kubeflow.events import report
    from recsys.release.lineage import succeed
    from recsys.release.remote import open_store
    from recsys.release.tracking import on_promote

    promoted = not reason and not hold and succeed(open_store(store), release, parent)
    trouble = on_promote(open_store(store)) if promoted else ""
    if trouble:
        report(trouble)
    report(f"release {release} is current" if promoted else f"release {release} is kept, not promoted", 1.0)
    return promoted
