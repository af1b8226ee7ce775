from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.kubeflow.events import StepEvent, parse_report, report


@given(message=st.text(), share=st.none() | st.floats(0, 1))
def test_what_a_step_reports_is_what_its_runner_reads(message: str, share: float | None) -> None:
    lines: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("builtins.print", lambda text, flush: lines.append(text))
        report(message, share)
    parsed = parse_report(lines[0] + "\n")
    assert parsed is not None
    assert parsed[0] == " ".join(message.split())
    assert parsed[1] == (None if share is None else pytest.approx(share, abs=5e-4))


@pytest.mark.parametrize(
    "line", ["", "progress", "progress ", "progress is slow", "Epoch 1/3", "progressive 0.5 x"]
)
def test_other_lines_are_no_reports(line: str) -> None:
    assert parse_report(line) is None


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (StepEvent("", "note", message="nothing to train"), "nothing to train"),
        (StepEvent("build index", "started", 6, 10), "[6/10] build index …"),
        (StepEvent("build index", "progress", 6, 10, 1.0, "recall", 0.25), "[6/10] build index 25% recall"),
        (StepEvent("build index", "progress", 6, 10, 1.0, "recall"), "[6/10] build index recall"),
        (StepEvent("build index", "reused", 6, 10), "[6/10] build index: unchanged, reused"),
        (StepEvent("build index", "done", 6, 10, 1.26), "[6/10] build index: done in 1.3 s"),
        (StepEvent("a", "done", 1, 1, 2.0, peak_mib=7), "[1/1] a: done in 2.0 s, 7 MiB"),
        (StepEvent("a", "failed", 1, 1, 2.0, "no data"), "[1/1] a: failed after 2 s: no data"),
    ],
)
def test_each_event_is_one_line(event: StepEvent, line: str) -> None:
    assert str(event) == line
