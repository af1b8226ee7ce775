"""Kubeflow components, one a file: typed artefacts in and out, the work itself in `recsys`.

A component's function is shipped as source, so it imports inside its body, and its annotations must
be objects: no `from __future__ import annotations` in these files.
"""
