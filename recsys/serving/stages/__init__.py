"""The fourteen stages of the ensemble, one file each: `load(artefacts, parameters)` gives an object to run.

A stage's `run` is a function of arrays whose first dimension is the batch; it neither knows Triton nor
any other stage. A service that does not answer is not an error here: the stage falls back and says so
in a bit of `recsys.schema.Degraded`.
"""
