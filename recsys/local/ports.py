"""TCP ports of this machine: finding a free one, refusing a taken one."""

from __future__ import annotations

import socket

from recsys.errors import RecsysError

LOOPBACK = "127.0.0.1"


def free_port(host: str = LOOPBACK) -> int:
    """A TCP port that nothing listens on now.

    Args:
        host: Address that the port is looked for on.

    Returns:
        A port from the kernel's ephemeral range. Another process may take it before it is used.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def is_taken(port: int, host: str = LOOPBACK) -> bool:
    """Whether something listens on a port, or binding it is refused.

    Args:
        port: TCP port, 1..65535.
        host: Address that a server would bind.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Connections of a server that just stopped linger in TIME_WAIT; those do not take the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


def choose_port(wanted: int, service: str, setting: str, host: str = LOOPBACK) -> int:
    """The wanted port if it is free, any free port if 0 is wanted.

    Args:
        wanted: TCP port, or 0 for any.
        service: Who wants it, for the error.
        setting: The setting that chooses another one, for the error.
        host: Address that the service will bind.

    Returns:
        The port to bind.

    Raises:
        RecsysError: The port is taken.
    """
    if wanted == 0:
        return free_port(host)
    if is_taken(wanted, host):
        raise RecsysError(
            f"port {wanted} of {service}",
            "another process listens on it",
            f"Stop that process or choose another port with {setting} (0: any free one)",
        )
    return wanted
