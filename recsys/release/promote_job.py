"""A promotion as a Kubernetes Job runs it, in an image that holds no command line.

    python -m recsys.release.promote_job --source s3://bucket/releases --into /var/lib/recsys --release 7
      --replica dns:recsys-triton:8000 --gateway dns:recsys-gateway-agents:8003

Release 0, the default, is the newest that passed its gate.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from recsys.errors import BadUse, told_in_a_line
from recsys.release.fetch import options_parser
from recsys.release.promote_remote import Cluster, promote_there
from recsys.release.releases import Releases
from recsys.release.remote import open_store
from recsys.release.retention import rollback_target
from recsys.settings import get_settings


def choose(store: Releases, wanted: int, back: bool) -> int:
    """The release to serve.

    Args:
        store: The releases.
        wanted: Its number; 0 for the newest that passed its gate.
        back: Whether to go back from the current one instead.

    Raises:
        BadUse: There is none.
    """
    current = store.current()
    if back:
        target = None if current is None else rollback_target(store.list(), current)
        if target is None:
            raise BadUse(f"release {current}", "is the first that passed its gate", "Nothing lies before it")
        return target
    newest = max((one.release for one in store.list() if one.gate.passed), default=0)
    if not wanted and not newest:
        raise BadUse(f"store {store}", "no release passed its gate", "Publish one")
    return wanted or newest


def main(arguments: Sequence[str] | None = None) -> None:
    """Promote, telling each step on stdout; one line on stderr and the error's exit code where it fails."""
    parser = options_parser(
        "python -m recsys.release.promote_job", "Serve a release on all replicas, or none."
    )
    parser.add_argument("--replica", action="append", required=True, help="see recsys.release.replicas")
    parser.add_argument("--gateway", action="append", default=[], help="agents of the gateways")
    parser.add_argument("--part", action="append", default=[], help="Tritons of the index's parts, in order")
    parser.add_argument("--rollback", action="store_true", help="go back from the current release")
    options = parser.parse_args(arguments)
    settings = get_settings().model_copy(update={"home": options.into})
    with told_in_a_line():
        number = choose(open_store(options.source), options.release, options.rollback)
        cluster = Cluster(options.replica, options.gateway, options.source, options.part)
        done = promote_there(settings, number, cluster, _tell)
    for trouble in done.unsettled:
        sys.stderr.write(f"not tidied up: {trouble}\n")
    sys.stdout.write(f"release {done.release} is served by {', '.join(done.replicas)}\n")


def _tell(name: str, event: str) -> None:
    sys.stdout.write(f"{name}: {event}\n")


if __name__ == "__main__":
    main()
