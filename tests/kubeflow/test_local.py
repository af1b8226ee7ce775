# Kubeflow reads annotations as objects, so they must not be postponed here.
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from kfp import dsl
from kfp.dsl import Dataset, Input, Metrics, Output

from recsys.errors import BadUse, RecsysError
from recsys.kubeflow.events import StepEvent
from recsys.kubeflow.local import run_local


@dsl.component(base_image="image", install_kfp_package=False)
def count_words(text: Input[Dataset], counts: Output[Dataset], numbers: Output[Metrics]) -> int:
    import json
    from pathlib import Path

    from recsys.kubeflow.events import report

    words = (Path(text.path) / "text.txt").read_text().split()
    report("counting", 0.5)
    print("a line for the log")
    Path(counts.path).mkdir(parents=True)
    Path(counts.path, "counts.json").write_text(json.dumps({w: words.count(w) for w in words}))
    numbers.log_metric("words", len(words))
    return len(words)


@dsl.component(base_image="image", install_kfp_package=False)
def most_frequent(counts: Input[Dataset], at_least: int, journal: str, numbers: Input[Metrics]) -> str:
    import json
    import os
    import signal
    from pathlib import Path

    from recsys.errors import BadData

    with Path(journal).open("a") as stream:
        stream.write("ran\n")
    if Path(journal).with_suffix(".kill").exists():
        Path(journal).with_suffix(".kill").unlink()
        os.kill(int(os.environ["PIPELINE_PID"]), signal.SIGKILL)
        signal.pause()
    found = json.loads(Path(counts.path, "counts.json").read_text())
    if max(found.values()) < at_least:
        raise BadData("text.txt", f"no word is there {at_least} times", "Write more.")
    return max(found, key=found.get)


@dsl.pipeline(name="words")
def words(data: str, at_least: int, journal: str) -> str:
    text = dsl.importer(artifact_uri=data, artifact_class=Dataset)
    counted = count_words(text=text.output)
    chosen = most_frequent(
        counts=counted.outputs["counts"],
        at_least=at_least,
        journal=journal,
        numbers=counted.outputs["numbers"],
    )
    return chosen.output


@pytest.fixture(autouse=True)
def code(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library may be edited while its tests run; that is no change here."""
    monkeypatch.setattr("recsys.kubeflow.step_cache.code_sha256", lambda: "code")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "text.txt").write_text("to be or not to be to")
    return tmp_path / "data"


class _Run:
    """Runs the pipeline in one home and remembers what it was told."""

    def __init__(self, home: Path, data: Path) -> None:
        self.home, self.data = home, data
        self.journal = home.parent / "journal"
        self.events: list[StepEvent] = []

    def __call__(self, at_least: int = 1) -> Any:
        self.events.clear()
        arguments = {"data": str(self.data), "at_least": at_least, "journal": str(self.journal)}
        return run_local(words, arguments, self.home, self.events.append)["Output"]

    def ended(self) -> dict[str, str]:
        return {e.step: e.state for e in self.events if e.state in {"done", "reused", "failed"}}


@pytest.fixture
def run(tmp_path: Path, data: Path) -> _Run:
    return _Run(tmp_path / "home", data)


def test_outputs_events_and_log(run: _Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == "to"
    assert [(e.step, e.state, e.index, e.total) for e in run.events] == [
        ("count words", "started", 1, 2),
        ("count words", "progress", 1, 2),
        ("count words", "done", 1, 2),
        ("most frequent", "started", 2, 2),
        ("most frequent", "done", 2, 2),
    ]
    assert (run.events[1].message, run.events[1].share) == ("counting", 0.5)
    assert (run.events[2].peak_mib or 0) > 10
    assert capsys.readouterr().out == ""
    assert "a line for the log" in (run.home / "logs" / "words.log").read_text()


def test_a_second_run_reuses_everything(run: _Run) -> None:
    run()
    assert run() == "to"
    assert run.ended() == {"count words": "reused", "most frequent": "reused"}


def test_content_decides_not_time_or_place(run: _Run, tmp_path: Path) -> None:
    run()
    moved = tmp_path / "moved"
    run.data.rename(moved)
    os.utime(moved / "text.txt", (1, 1))
    run.data = moved
    run()
    assert set(run.ended().values()) == {"reused"}
    (moved / "text.txt").write_text("to be or not be be be")
    assert run() == "be"
    assert set(run.ended().values()) == {"done"}


def test_changed_library_runs_everything_again(run: _Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run()
    monkeypatch.setattr("recsys.kubeflow.step_cache.code_sha256", lambda: "edited")
    run()
    assert set(run.ended().values()) == {"done"}


def test_a_parameter_reaches_only_its_steps(run: _Run) -> None:
    run()
    run(at_least=2)
    assert run.ended() == {"count words": "reused", "most frequent": "done"}


def test_damaged_cache_entry_is_made_again(run: _Run) -> None:
    run()
    (kept,) = (run.home / "cache" / "steps").rglob("counts.json")
    kept.chmod(0o644)
    kept.write_text(json.dumps({"wrong": 9}))
    assert run() == "to"
    assert run.ended()["count words"] == "done"


def test_failure_names_step_cause_and_log(run: _Run) -> None:
    with pytest.raises(RecsysError) as raised:
        run(at_least=9)
    assert str(raised.value) == (
        "step most-frequent: text.txt: no word is there 9 times. Write more. "
        f"Everything it wrote is in {run.home}/logs/words.log"
    )
    assert run.ended() == {"count words": "done", "most frequent": "failed"}
    assert "Traceback" in (run.home / "logs" / "words.log").read_text()


def test_killed_pipeline_goes_on_where_it_stopped(run: _Run) -> None:
    run.journal.with_suffix(".kill").touch()
    code = (
        "import os, sys, importlib.util; from pathlib import Path;"
        "os.environ['PIPELINE_PID'] = str(os.getpid());"
        f"spec = importlib.util.spec_from_file_location('words', {__file__!r});"
        "module = importlib.util.module_from_spec(spec); sys.modules['words'] = module;"
        "spec.loader.exec_module(module);"
        "from recsys.kubeflow import step_cache; step_cache.code_sha256 = lambda: 'code';"
        f"module._Run(Path({str(run.home)!r}), Path({str(run.data)!r}))()"
    )
    ended = subprocess.run([sys.executable, "-c", code], check=False, timeout=120)
    assert ended.returncode == -signal.SIGKILL
    assert run() == "to"
    assert run.ended() == {"count words": "reused", "most frequent": "done"}
    assert run.journal.read_text() == "ran\nran\n"


def test_two_pipelines_in_one_home_are_refused(run: _Run) -> None:
    def again(event: StepEvent) -> None:
        with pytest.raises(BadUse, match=f"process {os.getpid()} runs a pipeline"):
            run()
        refused.append(event)

    refused: list[StepEvent] = []
    arguments = {"data": str(run.data), "at_least": 1, "journal": str(run.journal)}
    run_local(words, arguments, run.home, again)
    assert refused


def test_path_that_kubeflow_would_rewrite_is_refused(run: _Run) -> None:
    run.home = run.home.parent / "python3" / "home"
    with pytest.raises(BadUse, match="rewrites 'python3'"):
        run()


def test_full_disk_is_one_line(run: _Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device", str(run.home / "cache"))

    monkeypatch.setattr("recsys.kubeflow.step_cache.StepCache.keep", full)
    with pytest.raises(RecsysError) as raised:
        run()
    assert str(raised.value) == (
        f"{run.home}/cache: No space left on device. Make room, or choose another --home"
    )
