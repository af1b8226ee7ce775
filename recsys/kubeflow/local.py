"""Kubeflow's local runner, with reuse of finished steps, clean progress and a full log.

The runner itself is Kubeflow's own: it resolves the graph, hands artefacts from step to step and runs every
component as a cluster would. One of its functions, the one that starts a step's process, is replaced
while a pipeline runs; all that is added here hangs on that.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import sys
import time
import warnings
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, TextIO

from recsys.errors import BadUse, RecsysError
from recsys.kubeflow.events import Progress, StepEvent, parse_report
from recsys.kubeflow.process import Exit, run_process
from recsys.kubeflow.step_cache import StepCache

_ERROR_LINE = re.compile(
    r"^(?P<kind>[A-Za-z_][\w.]*(?:Error|Exception|BadUse|BadData|Unavailable|Exit)): (?P<said>.+)"
)
_KILLED = 128 + 9
_TAIL_LINES = 60
_RUNS = "runs"


def run_local(
    pipeline: Any, arguments: Mapping[str, Any], home: Path, progress: Progress = print
) -> dict[str, Any]:
    """Runs a pipeline on this machine and gives its outputs.

    Under `home`: `cache/steps` keeps finished steps, `kubeflow/runs` the last run's artefacts, and
    `logs/<pipeline>.log` everything that the steps and the runner wrote.

    Args:
        pipeline: A function decorated with `kfp.dsl.pipeline`.
        arguments: Its arguments; folders as absolute paths.
        home: Where state lives.
        progress: Told of every event.

    Raises:
        RecsysError: A step failed (names it, the cause and the log), or the home cannot be written.
        BadUse: Another pipeline runs in this home, or a path holds what Kubeflow would rewrite.
    """
    home = home.resolve()
    _check_paths(home, arguments)
    try:
        return _run(pipeline, arguments, home, progress)
    except OSError as error:
        place = error.filename or str(home)
        raise RecsysError(
            place, error.strerror or str(error), "Make room, or choose another --home"
        ) from error


def _run(pipeline: Any, arguments: Mapping[str, Any], home: Path, progress: Progress) -> dict[str, Any]:
    from kfp import local

    root = home / "kubeflow"
    with _only_one(root), _log_of(home, pipeline.name) as log:
        shutil.rmtree(root / _RUNS, ignore_errors=True)
        steps = _Steps(pipeline.pipeline_spec, StepCache(home / "cache" / "steps"), root, log, progress)
        local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(root / _RUNS))
        try:
            with steps.installed(), redirect_stdout(log), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it warns of image names without "python", used nowhere here
                task = pipeline(**arguments)
        except RuntimeError as error:  # all that Kubeflow raises for a failed step
            raise steps.failure or error from None
        finally:
            local.config.LocalExecutionConfig.instance = None
        steps.cache.prune()
        return dict(task.outputs)


class _Steps:
    """Stands in for Kubeflow's function that runs a step's command."""

    def __init__(self, spec: Any, cache: StepCache, root: Path, log: TextIO, progress: Progress) -> None:
        self.cache = cache
        self.failure: RecsysError | None = None
        self._cached = _cached_components(spec)
        self._total = len(spec.deployment_spec["executors"]) - _importers(spec)
        self._scratch = root / "scratch"
        self._log = log
        self._progress = progress
        self._stdout = sys.stdout
        self._index = 0

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Puts `run` in the place of Kubeflow's own function."""
        from kfp.local import subprocess_task_handler

        original = subprocess_task_handler.run_local_subprocess
        subprocess_task_handler.run_local_subprocess = self.run
        try:
            yield
        finally:
            subprocess_task_handler.run_local_subprocess = original

    def run(self, full_command: Sequence[str]) -> int:
        """Runs a step's command, or gives its kept outputs; the exit code."""
        self._index += 1
        at = full_command.index("--executor_input")
        source, executor_input = full_command[at - 1], json.loads(full_command[at + 1])
        task_root = Path(executor_input["outputs"]["outputFile"]).parent
        name = task_root.name
        self._tell(name, "started")
        began = time.monotonic()
        key = self.cache.key(source, executor_input) if name in self._cached else None
        if key and self.cache.restore(key, task_root):
            self._tell(name, "reused")
            return 0
        ended, tail = self._run_process(name, full_command, began)
        seconds = time.monotonic() - began
        if ended.code:
            cause = _cause(ended, tail)
            self.failure = RecsysError(f"step {name}", cause, f"Everything it wrote is in {self._log.name}")
            self._tell(name, "failed", seconds=seconds, message=cause)
            return ended.code
        if key:
            self.cache.keep(key, task_root)
        self._tell(name, "done", seconds=seconds, peak_mib=ended.peak_mib)
        return 0

    def _run_process(self, name: str, command: Sequence[str], began: float) -> tuple[Exit, Sequence[str]]:
        tail: deque[str] = deque(maxlen=_TAIL_LINES)

        def on_line(line: str) -> None:
            self._log.write(line)
            tail.append(line.rstrip("\n"))
            if said := parse_report(line):
                message, share = said
                self._tell(name, "progress", seconds=time.monotonic() - began, message=message, share=share)

        shutil.rmtree(self._scratch, ignore_errors=True)
        self._scratch.mkdir(parents=True)
        environment = {
            "TF_CPP_MIN_LOG_LEVEL": "2",
            **os.environ,
            "PYTHONUNBUFFERED": "1",
            "PYTHONHASHSEED": "0",  # a step's output is kept by its inputs: nothing else may decide it
            "TMPDIR": str(self._scratch),  # Kubeflow leaves a folder there for each step
        }
        try:
            ended = run_process(command, cwd=Path.cwd(), environment=environment, on_line=on_line)
        finally:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._log.flush()
        return ended, tail

    def _tell(self, name: str, state: Any, **more: Any) -> None:
        """Passes an event on, with the user's standard output in place while it is shown."""
        step = name.replace("-", " ")
        with redirect_stdout(self._stdout):
            self._progress(StepEvent(step, state, self._index, self._total, **more))


def _cached_components(spec: Any) -> frozenset[str]:
    """Names of the components whose every task may be answered from the cache."""
    tasks = spec.root.dag.tasks.values()
    uncached = {t.component_ref.name for t in tasks if not t.caching_options.enable_cache}
    return frozenset(name.removeprefix("comp-") for name in spec.components if name not in uncached)


def _importers(spec: Any) -> int:
    return sum("importer" in dict(e) for e in spec.deployment_spec["executors"].values())


def _cause(ended: Exit, tail: Sequence[str]) -> str:
    """Why a step failed, in one line: its last error, else its exit code."""
    if ended.code == _KILLED:
        return f"its process was killed, most likely for want of memory ({ended.peak_mib} MiB in use)"
    for line in reversed(tail):
        if found := _ERROR_LINE.match(line):
            known = found["kind"].startswith("recsys.")
            return (found["said"] if known else f"{found['kind']}: {found['said']}").rstrip(".")
    return f"exit code {ended.code}"


def _check_paths(home: Path, arguments: Mapping[str, Any]) -> None:
    """Kubeflow's runner puts the interpreter's path in place of `python3` wherever a command holds it."""
    for value in (str(home), *arguments.values()):
        if isinstance(value, str) and "python3" in value:
            raise BadUse(
                value, "Kubeflow's local runner rewrites 'python3' in paths", "Choose another folder"
            )


@contextmanager
def _only_one(root: Path) -> Iterator[None]:
    root.mkdir(parents=True, exist_ok=True)
    with (root / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise BadUse(
                str(root), f"process {lock.read().strip()} runs a pipeline there", "Wait for it, or stop it"
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


@contextmanager
def _log_of(home: Path, name: str) -> Iterator[TextIO]:
    """The pipeline's log, opened anew; the one before it is kept beside it."""
    path = home / "logs" / f"{name}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        path.replace(path.with_suffix(".log.1"))
    with path.open("w", buffering=1) as log:
        yield log
