"""An exported model with other weights: what a fine-tuning changes, without tracing and converting anew."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper


def write_with_weights(
    template: Path,
    before: Sequence[np.ndarray],
    after: Sequence[np.ndarray],
    out: Path,
    fixed: Sequence[np.ndarray] = (),
) -> bool:
    """Writes an ONNX file with the constants that a model's variables have become replaced by newer values.

    A constant stands for a variable if it holds exactly its numbers, in its order or transposed. Where that
    is not certain for a variable that has changed (it stands nowhere, others had the same numbers, or it is a
    single one that the graph may hold for another reason), nothing is written: the model has to be exported.

    Args:
        template: The file that was exported with the variables as they were.
        before: The variables as they were.
        after: The same variables now, in the same order.
        out: The file to write.
        fixed: What the graph must hold besides, as it is: the new model's tables that are no variables.

    Returns:
        Whether it was written.
    """
    if len(before) != len(after):
        return False
    changed = [pair for pair in zip(before, after, strict=True) if not np.array_equal(*pair)]
    model = onnx.load(str(template))
    constants = _by_content(model)
    if any(_content(table) not in constants for table in fixed):
        return False
    for old, new in changed:
        same = sum(_content(each) == _content(old) for each in before)
        forms = {_content(old): new} if old.ndim < 2 else {_content(old): new, _content(old.T): new.T}
        places = [(place, form) for content, form in forms.items() for place in constants.get(content, ())]
        if old.shape != new.shape or old.dtype != new.dtype or same > 1 or not places:
            return False
        if old.size == 1 and (len(places) > 1 or _is_plain(old)):
            return False
        for place, form in places:
            values = np.ascontiguousarray(form).reshape(tuple(place.dims))
            place.CopyFrom(numpy_helper.from_array(values, place.name))
    out.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(out))
    return True


def _by_content(model: Any) -> dict[bytes, list[Any]]:
    """The constants of a graph by what they hold."""
    found: dict[bytes, list[Any]] = {}
    for place in model.graph.initializer:
        found.setdefault(_content(numpy_helper.to_array(place)), []).append(place)
    return found


def _is_plain(number: np.ndarray) -> bool:
    """Whether it has at most five digits: such numbers are written in code, others come of training."""
    (value,) = number.ravel()
    return bool(value == number.dtype.type(f"{value:.5g}"))


def _content(values: np.ndarray) -> bytes:
    """Type and numbers, whatever the shape."""
    found: bytes = values.dtype.str.encode() + np.ascontiguousarray(values).tobytes()
    return found
