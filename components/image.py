"""The container image of the pipeline's steps."""

TRAINING_IMAGE = "recsys-training:0.1.0"
"""Holds Python 3.11, this project and its training libraries; `pipeline compile --image` names another."""
