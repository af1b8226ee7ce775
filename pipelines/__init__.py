"""Kubeflow pipelines: the same file runs on this machine and compiles for a cluster."""
