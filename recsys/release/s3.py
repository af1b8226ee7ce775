"""The S3 client of stores and of fetching."""

from __future__ import annotations

import os
from typing import Any, Final

from pyarrow import fs

_TIMEOUT_S: Final = 10


def s3_files(**more: Any) -> fs.S3FileSystem:
    """A client with time limits.

    Credentials come from the environment or the pod's role, the region from AWS_REGION, and the address of
    another service that speaks S3, such as MinIO, from AWS_ENDPOINT_URL.

    Args:
        more: Other options of `pyarrow.fs.S3FileSystem`.
    """
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    return fs.S3FileSystem(
        connect_timeout=_TIMEOUT_S,
        request_timeout=_TIMEOUT_S,
        # This version of the client does not read it itself.
        **({"endpoint_override": endpoint} if endpoint else {}),
        **more,
    )
