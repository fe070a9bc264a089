"""`-l` and `-p`: which hosts carry how many nodes, and where their ports start.

    -l 127.0.0.1:4                     four nodes on this machine
    -l 10.0.0.1:2,10.0.0.2:2           two on each of two hosts
    -l [::1]:4                         IPv6 in brackets
    -p 30300,20200[,8545]              first p2p, RPC and web3 port of every host; node k of a host gets base + k

build_chain.sh warns and goes on when an address does not parse, and makes an empty chain of `127.0.0.1:0` (recordings/v3/deploy,
err_bad_ip, err_num0). Here both are refused before anything is written.

Sources: spec 3.x 4.1 (-l, -p), 4.5 (ports).
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from fiscotool.errors import UsageError

_DOMAIN = re.compile(r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*")
_LOOKS_NUMERIC = re.compile(r"[0-9.]+")
_PORT_FIRST, _PORT_LAST = 1025, 65535  # GatewayConfig::isValidPort refuses 1024 and below
_PORT_LISTS = (2, 3)

EXAMPLE = "for example -l 127.0.0.1:4, or -l 10.0.0.1:2,10.0.0.2:2, or -l [::1]:4"


@dataclass(frozen=True, slots=True)
class HostGroup:
    """So many nodes on one host. `address` is an IP address without brackets, or a domain name."""

    address: str
    node_count: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        try:
            return ipaddress.ip_address(self.address).is_loopback
        except ValueError:
            return self.address.lower() == "localhost"


@dataclass(frozen=True, slots=True)
class PortBases:
    """First port of each role on every host."""

    p2p: int = 30300
    rpc: int = 20200
    web3: int = 8545


def parse_layout(text: str) -> tuple[HostGroup, ...]:
    """The hosts of `-l`. Raises UsageError naming the part that does not parse and how it should look."""
    groups: list[HostGroup] = []
    for part in text.split(","):
        entry = part.strip()
        address, count = _split(entry, text)
        if any(group.address == address for group in groups):
            raise UsageError(f"-l {text!r}: host {address} is listed twice", hint="list each host once, with the sum of its nodes")
        groups.append(HostGroup(address, count))
    return tuple(groups)


def _split(entry: str, whole: str) -> tuple[str, int]:
    if not entry:
        raise UsageError(f"-l {whole!r} has an empty entry", hint=EXAMPLE)
    if entry.startswith("["):
        inside, closed, rest = entry[1:].partition("]")
        if not closed or not rest.startswith(":"):
            raise UsageError(f"-l {whole!r}: {entry!r} is not [IPv6 address]:count", hint=EXAMPLE)
        return _ipv6(inside, whole), _count(rest[1:], entry, whole)
    if entry.count(":") > 1:
        raise UsageError(f"-l {whole!r}: {entry!r} has more than one colon", hint=f"put an IPv6 address in brackets; {EXAMPLE}")
    address, colon, count = entry.partition(":")
    if not colon:
        raise UsageError(f"-l {whole!r}: {entry!r} does not say how many nodes", hint=EXAMPLE)
    return _name(address, whole), _count(count, entry, whole)


def _ipv6(address: str, whole: str) -> str:
    try:
        return str(ipaddress.IPv6Address(address))
    except ValueError:
        raise UsageError(f"-l {whole!r}: {address!r} is not an IPv6 address", hint=EXAMPLE) from None


def _name(address: str, whole: str) -> str:
    if _LOOKS_NUMERIC.fullmatch(address):
        try:
            return str(ipaddress.IPv4Address(address))
        except ValueError:
            raise UsageError(f"-l {whole!r}: {address!r} is not an IPv4 address (four numbers 0 to 255)", hint=EXAMPLE) from None
    if not _DOMAIN.fullmatch(address):
        raise UsageError(f"-l {whole!r}: {address!r} is neither an IP address nor a host name", hint=EXAMPLE)
    return address


def _count(text: str, entry: str, whole: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > len(str(_PORT_LAST)) or int(text) < 1:
        raise UsageError(f"-l {whole!r}: in {entry!r} the number of nodes is {text!r}, not a whole number from 1", hint=EXAMPLE)
    return int(text)


def parse_ports(text: str) -> PortBases:
    """The bases of `-p p2p,rpc[,web3]`. Raises UsageError."""
    hint = "for example -p 30300,20200 or -p 30300,20200,8545"
    parts = [part.strip() for part in text.split(",")]
    if len(parts) not in _PORT_LISTS:
        raise UsageError(f"-p {text!r} has {len(parts)} ports, not two (p2p,rpc) or three (p2p,rpc,web3)", hint=hint)
    for part in parts:
        if not part.isascii() or not part.isdigit() or len(part) > len(str(_PORT_LAST)):
            raise UsageError(f"-p {text!r}: {part!r} is not a port number", hint=hint)
        if not _PORT_FIRST <= int(part) <= _PORT_LAST:
            raise UsageError(f"-p {text!r}: port {part} is outside {_PORT_FIRST} to {_PORT_LAST}", hint=hint)
    return PortBases(*(int(part) for part in parts))
