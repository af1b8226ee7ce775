"""Serving: the ensemble's graph, its fourteen stages, and the Triton server that runs them.

Nothing here imports TensorFlow, Merlin, NVTabular or Dask: a serving image holds none of them.
"""
