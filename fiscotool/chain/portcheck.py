"""Which of the ports a chain wants are taken on this machine, and by whom.

A port is tried by binding it, exactly as the node will. Only ports of nodes that will run here are to be asked for (`is_local`).
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable
from dataclasses import dataclass

from fiscotool.errors import EnvironmentFailure

_SHOWN_MAX = 5


@dataclass(frozen=True, slots=True)
class Wanted:
    """A port a node will listen on. `listen_ip` may be 0.0.0.0 or ::."""

    node: str
    role: str
    listen_ip: str
    port: int


@dataclass(frozen=True, slots=True)
class Taken:
    """A wanted port that something else listens on. `holder` says who, as far as this user may know, or is empty."""

    wanted: Wanted
    holder: str

    def __str__(self) -> str:
        by = f" by {self.holder}" if self.holder else ""
        return f"{self.wanted.node}: {self.wanted.role} port {self.wanted.port} on {self.wanted.listen_ip} is already taken{by}"


class PortTaken(EnvironmentFailure):
    """Ports are taken; `taken` has each of them."""

    def __init__(self, taken: tuple[Taken, ...], *, hint: str) -> None:
        shown = "; ".join(str(each) for each in taken[:_SHOWN_MAX])
        more = f"; and {len(taken) - _SHOWN_MAX} more" if len(taken) > _SHOWN_MAX else ""
        super().__init__(shown + more, hint=hint)
        self.taken = taken


def find_taken(wanted: Iterable[Wanted]) -> tuple[Taken, ...]:
    """Those of `wanted` that cannot be bound now because something listens there."""
    blocked = [each for each in wanted if not _can_bind(each.listen_ip, each.port)]
    holders = _holders({each.port for each in blocked}) if blocked else {}
    return tuple(Taken(each, holders.get(each.port, "")) for each in blocked)


def require_free(wanted: Iterable[Wanted], *, remedy: str) -> None:
    """Raise PortTaken, naming node, role, port and holder, unless every port is free. `remedy` is what helps other than freeing it."""
    taken = find_taken(wanted)
    if taken:
        port = taken[0].wanted.port
        raise PortTaken(taken, hint=f"see who holds it: ss -ltnp 'sport = :{port}'; or {remedy}")


def is_local(host: str) -> bool:
    """Whether `host`, an address or a name, is this machine, which is so exactly when a socket can be bound to it.

    A machine behind address translation does not know its public address: for that one the answer is no.
    """
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return any(_can_bind_address(family, address[0]) for family, _, _, _, address in found)


def _can_bind_address(family: int, address: object) -> bool:
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _can_bind(listen_ip: str, port: int) -> bool:
    """False only where something holds the port; any other trouble (no IPv6 here, a foreign address) is for the node to tell."""
    try:
        with socket.socket(_family(listen_ip)) as probe:
            # As the nodes do: connections of an earlier run that are still closing are no hindrance, a listener is.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((listen_ip, port))
            probe.listen(1)
    except OSError as problem:
        return problem.errno != errno.EADDRINUSE
    return True


def _holders(ports: set[int]) -> dict[int, str]:
    """Port → "name (pid N)" of the process that listens on it, where this user may see it."""
    import psutil

    found: dict[int, str] = {}
    try:
        connections = psutil.net_connections("tcp")
    except (psutil.Error, OSError):
        return {}
    for connection in connections:
        if connection.status != psutil.CONN_LISTEN or not connection.laddr or connection.laddr.port not in ports or not connection.pid:
            continue
        try:
            name = psutil.Process(connection.pid).name()
        except psutil.Error:
            name = "a process"
        found[connection.laddr.port] = f"{name} (pid {connection.pid})"
    return found
