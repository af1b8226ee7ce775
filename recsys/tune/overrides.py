"""Settings with some values changed, by dotted name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recsys.errors import BadUse
from recsys.settings import Settings


def changed(settings: Settings, values: Mapping[str, Any]) -> Settings:
    """The settings with other values.

    Args:
        settings: Where the rest comes from.
        values: By dotted name, such as `training.retrieval.epochs`.

    Raises:
        BadUse: There is no such setting.
        pydantic.ValidationError: A value is out of range.
    """
    document = settings.model_dump()
    for name, value in values.items():
        *path, last = name.split(".")
        section: Any = document
        for key in path:
            section = section.get(key) if isinstance(section, dict) else None
        if not isinstance(section, dict) or last not in section:
            raise BadUse(name, "there is no such setting", "See recsys/settings")
        section[last] = value
    return Settings(**document)


def variables(values: Mapping[str, Any]) -> str:
    """The values as environment variables, one a line, ready for a shell or a .env file."""
    return "\n".join(f"RECSYS_{name.upper().replace('.', '__')}={value}" for name, value in values.items())
