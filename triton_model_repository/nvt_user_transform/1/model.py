"""Hands Triton's requests to the stage that is named like this model."""

from recsys.serving.python_backend import TritonPythonModel  # noqa: F401
