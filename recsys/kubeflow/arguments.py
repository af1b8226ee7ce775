"""Arguments of a compiled pipeline, checked before anything is sent."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from recsys.errors import BadData, BadUse

_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "NUMBER_INTEGER": (int,),
    "NUMBER_DOUBLE": (int, float),
    "BOOLEAN": (bool,),
    "STRUCT": (dict,),
    "LIST": (list,),
}


def read_package(path: Path) -> dict[str, Any]:
    """A compiled pipeline as Kubeflow's API takes it.

    Args:
        path: IR YAML of `recsys pipeline compile`.

    Returns:
        `pipeline_spec` and, where the pipeline asks for nodes or volumes, `platform_spec`.

    Raises:
        BadData: The file is not a compiled pipeline.
    """
    fix = "Make it with `recsys pipeline compile`"
    try:
        documents = [one for one in yaml.safe_load_all(path.read_text()) if one]
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadData(str(path), "is not YAML", fix) from error
    spec = next((one for one in documents if isinstance(one, dict) and "pipelineInfo" in one), None)
    if spec is None:
        raise BadData(str(path), "holds no pipeline", fix)
    platform = next((one for one in documents if isinstance(one, dict) and "platforms" in one), None)
    return {"pipeline_spec": spec, **({"platform_spec": platform} if platform else {})}


def parse_arguments(package: dict[str, Any], given: Sequence[str]) -> dict[str, Any]:
    """Typed arguments from `name=value` texts.

    Args:
        package: What `read_package` returned.
        given: Texts as typed; all but strings are JSON.

    Raises:
        BadUse: A name is unknown or missing, or a value has another type than the pipeline says.
    """
    wanted = package["pipeline_spec"].get("root", {}).get("inputDefinitions", {}).get("parameters", {})
    found: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or name not in wanted:
            cause = f"{text!r} is not one of {', '.join(wanted) or 'none'} with a value"
            raise BadUse("--argument", cause, "Write it like name=value")
        found[name] = _typed(name, value, wanted[name].get("parameterType", "STRING"))
    missing = [name for name, how in wanted.items() if name not in found and not how.get("isOptional")]
    if missing:
        raise BadUse("--argument", f"{', '.join(missing)} is missing", f"Add --argument {missing[0]}=…")
    return found


def _typed(name: str, text: str, kind: str) -> Any:
    if kind == "STRING":
        return text
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        value = None
    # In Python a bool is an int; Kubeflow tells them apart.
    if not isinstance(value, _TYPES.get(kind, (object,))) or (isinstance(value, bool) and kind != "BOOLEAN"):
        raise BadUse(f"--argument {name}", f"{text!r} is not a {kind}", "Write it as JSON")
    return value
