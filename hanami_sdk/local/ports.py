"""Free ports for the services, and who holds one that is not free."""

import errno
import random
import socket

import psutil

from hanami_sdk.local.errors import LocalMeshError, PortOccupied

__all__ = ["free_ports", "holder_of", "require_free"]

# Below the range from which systems take the ports of outgoing connections: there a
# service that is restarted could find its port borrowed for one.
_FIRST, _LAST = 20_000, 31_999


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """Return this many different ports that nobody listens on."""
    candidates = random.sample(range(_FIRST, _LAST + 1), 500)
    free = [port for port in candidates if _bind_error(host, port) is None]
    if len(free) < count:
        raise LocalMeshError(f"There are no {count} free ports from {_FIRST} to {_LAST}.")
    return free[:count]


def require_free(host: str, port: int) -> None:
    """Make sure that the gateway can listen.

    Raises:
        PortOccupied: another program listens there.
        LocalMeshError: the address cannot be listened on at all.
    """
    error = _bind_error(host, port)
    if error is None:
        return
    if error.errno == errno.EADDRINUSE:
        raise PortOccupied(host, port, holder_of(port))
    if error.errno == errno.EACCES:
        raise LocalMeshError(
            f"Port {port} needs rights that you do not have.",
            hint="Choose one above 1023: hanami up --port PORT.",
        )
    raise LocalMeshError(
        f"Nothing can listen on {host}:{port}: {error.strerror}.",
        hint="Choose an address of this machine: hanami up --host ADDRESS.",
    )


def holder_of(port: int) -> str | None:
    """Return the name and id of the process that listens on a port; None when unknown."""
    try:
        connections = psutil.net_connections("tcp")
    except (psutil.Error, OSError):
        # Some systems show other users' connections to nobody but root.
        return None
    for connection in connections:
        if connection.status != psutil.CONN_LISTEN or connection.pid is None:
            continue
        if connection.laddr and connection.laddr[1] == port:
            return _describe(connection.pid)
    return None


def _describe(pid: int) -> str:
    try:
        return f"{psutil.Process(pid).name()} (process {pid})"
    except psutil.Error:
        return f"process {pid}"


def _bind_error(host: str, port: int) -> OSError | None:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # As servers do: connections that have just ended are no obstacle.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            probe.listen()
    except OSError as error:
        return error
    return None
