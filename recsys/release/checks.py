"""What a release must pass before any replica is touched: its gate, its hashes, and that its models load."""

from __future__ import annotations

from pathlib import Path

import onnxruntime

from recsys.errors import BadData, BadUse
from recsys.release.store import ReleaseStore


def check(store: ReleaseStore, number: int) -> None:
    """Refuse a release that must not be served.

    That replicas answer like the release itself is compared later, on each of them.

    Args:
        store: The releases.
        number: Which.

    Raises:
        BadUse: There is no such release, or its gate refused it.
        BadData: A file is missing, has another hash than the manifest says, or is a model that does not load.
    """
    verdict = store.show(number).gate
    if not verdict.passed:
        raise BadUse(f"release {number}", f"refused by its gate: {verdict.reason}", "Promote another")
    store.verify(number)
    folder = store.path(number)
    for name in sorted(store.show(number).files):
        if name.endswith(".onnx"):
            _must_load(folder / name)


def _must_load(path: Path) -> None:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    try:
        onnxruntime.InferenceSession(path, sess_options=options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no base class of their own
        cause = (str(error) or type(error).__name__).splitlines()[0]
        raise BadData(str(path), f"does not load ({cause})", "Publish the release again") from error
