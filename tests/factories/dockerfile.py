"""Dockerfiles parsed, and the rules that ours keep: what hadolint would say, and more."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from factories.chart import ROOT

LABELS = ("title", "description", "licenses", "version", "revision")
_SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|ACCESS_KEY", re.IGNORECASE)


class Instruction(NamedTuple):
    """One instruction, its continuation lines joined; `stage` counts the FROMs, from 1."""

    name: str
    text: str
    stage: int


def parse(text: str) -> list[Instruction]:
    """The instructions of a Dockerfile."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    found, stage = [], 0
    for line in re.sub(r"\\\n\s*", " ", "\n".join(lines)).splitlines():
        name, _, rest = line.strip().partition(" ")
        stage += name.upper() == "FROM"
        found.append(Instruction(name.upper(), rest.strip(), stage))
    return found


def faults(text: str, ignored: str) -> Iterator[str]:
    """Every rule that a Dockerfile breaks.

    Args:
        text: The Dockerfile.
        ignored: The `.dockerignore` beside it.
    """
    found = parse(text)
    last = max(each.stage for each in found)
    yield from _bases([each.text for each in found if each.name == "FROM"])
    yield from _runs([each.text for each in found if each.name == "RUN"])
    yield from _copies(found, ignored)
    final = [each for each in found if each.stage == last]
    users = [each.text for each in final if each.name == "USER"]
    if users != ["1000:1000"]:
        yield f"runs as {users or 'root'}, not as 1000:1000"
    labels = " ".join(each.text for each in final if each.name == "LABEL")
    yield from (
        f"has no label {name}" for name in LABELS if f"org.opencontainers.image.{name}=" not in labels
    )
    if any(each.name == "RUN" for each in final):
        yield "builds in the final stage"
    if any(each.name == "ADD" for each in found):
        yield "uses ADD"
    yield from (f"{each.name} {each.text} looks like a secret" for each in found if _is_secret(each))


def _bases(bases: list[str]) -> Iterator[str]:
    if len(bases) < 2:
        yield "has a single stage"
    for base in bases:
        if not re.match(r"^\$\{[A-Z]+\}@\$\{[A-Z]+_DIGEST\}( AS [a-z]+)?$", base):
            yield f"base image {base} is not chosen by a digest argument"


def _runs(commands: list[str]) -> Iterator[str]:
    for command in commands:
        if re.search(r"\b(curl|wget)\b|\|\s*(ba)?sh\b", command):
            yield f"fetches or pipes into a shell: {command}"
        if re.search(r"\b(sudo|chmod 777|apt-get upgrade)\b", command):
            yield f"does what no image should: {command}"
        for part in command.split("&&"):
            is_install = re.search(r"pip3? install", part)
            if is_install and "--require-hashes" not in part:
                yield f"installs without hashes: {part.strip()}"
            if is_install and "--no-cache" not in part:
                yield f"leaves a cache behind: {part.strip()}"


def _copies(found: list[Instruction], ignored: str) -> Iterator[str]:
    stages = {
        each.text.rpartition(" AS ")[2] for each in found if each.name == "FROM" and " AS " in each.text
    }
    for each in (each for each in found if each.name == "COPY"):
        *sources, _ = (word for word in each.text.split() if not word.startswith("--"))
        if origin := re.match(r"--from=(\S+)", each.text):
            if origin[1] not in stages:
                yield f"copies from {origin[1]}, which is no stage"
            continue
        for source in sources:
            yield from _source(source.replace("${LOCK}", "serving"), ignored)


def _source(source: str, ignored: str) -> Iterator[str]:
    if source in (".", "./"):
        yield "copies everything"
    elif not (ROOT / source).exists():
        yield f"copies {source}, which is not there"
    kept = [line[1:] for line in ignored.splitlines() if line.startswith("!")]
    if not any(fnmatch.fnmatch(source.rstrip("/"), pattern) for pattern in kept):
        yield f"copies {source}, which .dockerignore keeps out"


def _is_secret(each: Instruction) -> bool:
    return each.name in ("ARG", "ENV") and bool(_SECRET.search(each.text))


def dockerfiles() -> list[Path]:
    """The project's Dockerfiles."""
    return sorted((ROOT / "docker").glob("*/Dockerfile"))
