"""The images' recipes keep the rules; they cannot be built where these tests run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from factories.chart import CHART, ROOT
from factories.dockerfile import dockerfiles, faults, parse

from recsys.serving.container import BACKENDS
from recsys.serving.embedded import build
from recsys.serving.embedded.build import library

IGNORED = (ROOT / ".dockerignore").read_text()
GOOD = (ROOT / "docker" / "serving" / "Dockerfile").read_text()


@pytest.mark.parametrize("path", dockerfiles(), ids=lambda path: path.parent.name)
def test_every_rule_is_kept(path: Path) -> None:
    assert list(faults(path.read_text(), IGNORED)) == []


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("FROM ${PYTHON}@${PYTHON_DIGEST}\n", "FROM python:latest\n", "not chosen by a digest"),
        ("USER 1000:1000", "USER root", "runs as"),
        ("USER 1000:1000\n", "", "runs as root"),
        ("--require-hashes ", "", "installs without hashes"),
        ("--no-cache ", "", "leaves a cache behind"),
        ("RUN uv venv", "RUN curl -L https://example.com/x | bash && uv venv", "fetches or pipes"),
        ("COPY recsys/", "COPY .", "copies everything"),
        ("COPY feature_repo/", "COPY helm/", ".dockerignore keeps out"),
        ("COPY feature_repo/", "COPY nothing/", "which is not there"),
        ("--from=build", "--from=builder", "which is no stage"),
        ("COPY --from=uv /uv", "ADD https://example.com/uv", "uses ADD"),
        ("ARG REVISION=unknown", "ARG API_TOKEN", "looks like a secret"),
        ("org.opencontainers.image.licenses", "licence", "has no label licenses"),
        ("EXPOSE 8080", "RUN apt-get update", "builds in the final stage"),
    ],
)
def test_a_broken_rule_is_named(right: str, wrong: str, said: str) -> None:
    assert right in GOOD
    assert any(said in fault for fault in faults(GOOD.replace(right, wrong), IGNORED))


def test_every_lock_that_is_built_with_exists() -> None:
    script = (ROOT / "docker" / "build").read_text()
    locks = set(re.findall(r"lock=([a-z-]+)", script))
    locks |= {
        each.text.partition("=")[2]
        for path in dockerfiles()
        for each in parse(path.read_text())
        if "LOCK=" in each.text and each.name == "ARG"
    }
    assert locks == {"serving", "serving-gpu", "worker", "base"}
    assert all((ROOT / "requirements" / f"{lock}.lock").is_file() for lock in locks)


def test_every_digest_has_its_line() -> None:
    wanted = {
        each.text
        for path in dockerfiles()
        for each in parse(path.read_text())
        if each.text.endswith("_DIGEST") and each.name == "ARG"
    }
    example = (ROOT / "docker" / "digests.example").read_text()
    assert wanted == set(re.findall(r"^([A-Z]+_DIGEST)=", example, re.MULTILINE))


def test_the_chart_runs_what_the_images_hold() -> None:
    """Its images are those that docker/build makes, and each module it starts is copied into them."""
    built = set(re.findall(r"^    ([a-z-]+)\) folder", (ROOT / "docker" / "build").read_text(), re.MULTILINE))
    named = set(re.findall(r"repository: recsys-([a-z]+)", (CHART / "values.yaml").read_text()))
    assert named <= built
    templates = "".join(path.read_text() for path in (CHART / "templates").iterdir())
    for module in re.findall(r"recsys\.[a-z_]+\.[a-z_]+", templates):
        assert (ROOT / (module.replace(".", "/") + ".py")).is_file(), module


def test_triton_is_the_version_that_tests_run() -> None:
    """The stub of the Python backend comes from a wheel, and must be of the same Triton as the image."""
    text = (ROOT / "docker" / "triton" / "Dockerfile").read_text()
    assert "tritonserver:24.10-py3" in text  # Triton 2.51.0, as in the wheel
    (pin,) = re.findall(
        r"^nvidia-pytriton==(\S+)", (ROOT / "requirements" / "triton-stub.lock").read_text(), re.M
    )
    assert f"nvidia-pytriton=={pin} " in (ROOT / "requirements" / "base.lock").read_text()


def test_the_image_holds_the_backend_that_embeds_stages() -> None:
    """Made by the module that makes it elsewhere, and put where the container looks for it."""
    text = (ROOT / "docker" / "triton" / "Dockerfile").read_text()
    assert f"-m {build.__name__} /backends" in text
    assert f"/backends/stages/libtriton_stages.so {library(BACKENDS)}\n" in text
    # Whether it is used is the chart's to say, not that of a compiler in the base image.
    assert "RECSYS_SERVING__STAGES=processes" in text
