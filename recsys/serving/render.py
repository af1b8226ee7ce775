"""Files and pictures made from the graph: Triton's `config.pbtxt`, the model repository, a diagram."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from recsys.serving import wires
from recsys.serving.embedded.build import BACKEND
from recsys.serving.graph import (
    ENSEMBLE,
    ENSEMBLE_INPUTS,
    ENSEMBLE_OUTPUTS,
    FUSED,
    MODELS,
    PROPENSITIES,
    RELEASES_PARAMETER,
    Model,
    edges,
    is_optional,
    steps,
)
from recsys.serving.wires import Wire
from recsys.settings import ServingSettings

REPOSITORY_DIR: Final = Path("triton_model_repository")
MODEL_PY: Final = '''"""Hands Triton's requests to the stage that is named like this model."""

from recsys.serving.python_backend import TritonPythonModel  # noqa: F401
'''

_BACKENDS: Final = {"processes": "python", "embedded": BACKEND}
_TYPES: Final = {
    np.dtype("int32"): "TYPE_INT32",
    np.dtype("int64"): "TYPE_INT64",
    np.dtype("float32"): "TYPE_FP32",
}


def model_config(
    model: Model, settings: ServingSettings, releases: str, versions: Sequence[int] = (1,)
) -> str:
    """`config.pbtxt` of one stage's model.

    Args:
        model: The model.
        settings: Widths, batch size and the values of its parameters.
        releases: Folder of releases; the stage loads <releases>/<version>.
        versions: The versions, which are release numbers, that are to be loaded.
    """
    parameters = {RELEASES_PARAMETER: releases}
    parameters |= {name: str(getattr(settings, name)) for name in model.parameters}
    parameters |= wires.parameters(model, settings)
    inputs, outputs = wires.ports(model.inputs, settings), wires.ports(model.outputs, settings)
    numbers = ", ".join(map(str, sorted(versions)))
    return "\n".join(
        [
            f"# {model.name} {model.does}. Rendered by recsys.serving.graph; do not edit.",
            f'name: "{model.name}"',
            f'backend: "{_BACKENDS[settings.stages]}"',
            f"max_batch_size: {settings.max_batch_size}",
            *_ports("input", inputs, settings),
            *_ports("output", outputs, settings),
            _instance_group(model, settings),
            *_batching(settings),
            *_warm_up(inputs, settings),
            f"version_policy {{ specific {{ versions: [ {numbers} ] }} }}",
            *(_parameter(name, value) for name, value in sorted(parameters.items())),
            "",
        ]
    )


def ensemble_config(settings: ServingSettings, version: int = 1, name: str = ENSEMBLE) -> str:
    """`config.pbtxt` of an ensemble, each step pinned to one version.

    Args:
        settings: Widths, batch size and the variant.
        version: The release number that all steps serve, so that no answer mixes releases.
        name: What Triton calls it.
    """
    return "\n".join(
        [
            "# Rendered by recsys.serving.graph; do not edit.",
            f'name: "{name}"',
            'platform: "ensemble"',
            f"max_batch_size: {settings.max_batch_size}",
            *_ports("input", wires.ports({name: name for name in ENSEMBLE_INPUTS}, settings), settings),
            *_ports(
                "output",
                wires.ports({name: name for name in (*ENSEMBLE_OUTPUTS, PROPENSITIES)}, settings),
                settings,
            ),
            f"version_policy {{ specific {{ versions: [ {version} ] }} }}",
            "ensemble_scheduling {",
            "  step [",
            ",\n".join(_step(model, version, settings) for model in steps(settings.variant)),
            "  ]",
            "}",
            "",
        ]
    )


def repository_files(
    settings: ServingSettings | None = None, releases: str = "var/releases", version: int = 1
) -> dict[str, str]:
    """Every file of a model repository that serves one release: relative path -> text."""
    settings = settings or ServingSettings(stages="processes")
    files = {}
    for model in steps(settings.variant):
        files[f"{model.name}/config.pbtxt"] = model_config(model, settings, releases, (version,))
        files[f"{model.name}/{version}/model.py"] = MODEL_PY
    files[f"{ENSEMBLE}/config.pbtxt"] = ensemble_config(settings, version)
    files[f"{ENSEMBLE}/{version}/.gitkeep"] = ""  # Triton wants the folder, git wants a file in it.
    return files


def render(repository_dir: Path = REPOSITORY_DIR) -> None:
    """Write the committed model repository: version 1, a process for each model, else the defaults."""
    for name, text in repository_files().items():
        path = repository_dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def out_of_step(repository_dir: Path = REPOSITORY_DIR) -> list[str]:
    """Relative paths that are missing, differ from the graph, or that the graph does not know."""
    wanted = repository_files()
    there = {
        path.relative_to(repository_dir).as_posix(): path.read_text(encoding="utf-8")
        for path in repository_dir.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    return sorted(name for name in wanted.keys() | there.keys() if wanted.get(name) != there.get(name))


def mermaid() -> str:
    """The request's way as a Mermaid flowchart."""
    lines = ["flowchart TD", '    request(["user_id, device_type?, timestamp?, rules?, choice?"])']
    lines += [f'    {model.name}["<b>{model.name}</b><br/>{model.does}"]' for model in MODELS]
    lines += [f'    answer(["{", ".join(ENSEMBLE_OUTPUTS)}"])']
    lines += [f"    {source} --> {target}" for source, target, _ in edges() if not _only_flags(_)]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """`python -m recsys.serving.graph`; exits 1 when `--check` finds a difference."""
    parser = argparse.ArgumentParser(
        prog="python -m recsys.serving.graph", description="Render the ensemble."
    )
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--write", action="store_true", help="write the model repository")
    action.add_argument("--check", action="store_true", help="fail if the model repository is out of step")
    action.add_argument("--diagram", action="store_true", help="print a Mermaid flowchart")
    parser.add_argument("--dir", type=Path, default=REPOSITORY_DIR, help="the model repository")
    options = parser.parse_args(arguments)
    if options.diagram:
        sys.stdout.write(mermaid())
    elif options.write:
        render(options.dir)
    elif wrong := out_of_step(options.dir):
        sys.exit(
            f"{options.dir}: out of step: {', '.join(wrong)}. Run python -m recsys.serving.graph --write"
        )


def _instance_group(model: Model, settings: ServingSettings) -> str:
    """Processes of a model: the fourteen run beside each other already, one fused process is alone."""
    count = settings.fused_instances if model.name == FUSED else 1
    return f"instance_group [ {{ kind: KIND_CPU, count: {count} }} ]"


def _batching(settings: ServingSettings) -> list[str]:
    """Who stacks the requests that wait: Triton, or the backend that lets one model run at a time."""
    if settings.stages == "embedded":
        return []
    # A queue delay would be paid once a model, fourteen times a request.
    return ["dynamic_batching { max_queue_delay_microseconds: 0 }"]


def _only_flags(tensors: Sequence[str]) -> bool:
    """Edges that carry nothing but what was degraded would only clutter the picture."""
    return all(name.endswith("_flags") for name in tensors)


def _ports(kind: str, ports: Mapping[str, Wire], settings: ServingSettings) -> list[str]:
    entries = []
    for name, wire in ports.items():
        dims = ", ".join(map(str, wire.dims(settings)))
        optional = ", optional: true" if kind == "input" and is_optional(wire.tensors[0]) else ""
        entries.append(f'  {{ name: "{name}", data_type: {_TYPES[wire.dtype]}, dims: [ {dims} ]{optional} }}')
    return [f"{kind} [", ",\n".join(entries), "]"]


def _warm_up(ports: Mapping[str, Wire], settings: ServingSettings) -> list[str]:
    """A request of zeros before the model counts as ready, so that no shopper pays for what is lazy."""
    inputs = []
    for name, wire in ports.items():
        dims = ", ".join(map(str, wire.dims(settings)))
        value = f"data_type: {_TYPES[wire.dtype]}, dims: [ {dims} ], zero_data: true"
        inputs.append(f'    inputs {{ key: "{name}", value: {{ {value} }} }}')
    return ["model_warmup [ {", '    name: "zeros"', "    batch_size: 1", *inputs, "} ]"]


def _step(model: Model, version: int, settings: ServingSettings) -> str:
    maps = [
        f'      {kind}_map {{ key: "{port}", value: "{wire.name}" }}'
        for kind, tensors in (("input", model.inputs), ("output", model.outputs))
        for port, wire in wires.ports(tensors, settings).items()
    ]
    head = [f'      model_name: "{model.name}"', f"      model_version: {version}"]
    return "\n".join(["    {", *head, *maps, "    }"])


def _parameter(name: str, value: str) -> str:
    quoted = value.replace('"', '\\"')
    return f'parameters {{ key: "{name}", value: {{ string_value: "{quoted}" }} }}'
