"""Kubeflow pipelines from Python: run on this machine, or compiled for a cluster."""

from recsys.kubeflow.compile import compile_pipelines
from recsys.kubeflow.daily import run_daily
from recsys.kubeflow.events import Progress, StepEvent
from recsys.kubeflow.full import run_full

__all__ = ["Progress", "StepEvent", "compile_pipelines", "run_daily", "run_full"]
