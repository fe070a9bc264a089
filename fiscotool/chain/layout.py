"""`-l` and `-p`: which hosts carry how many nodes, and where their ports start.

    -l 127.0.0.1:4                     four nodes on this machine
    -l 10.0.0.1:2,10.0.0.2:2           two on each of two hosts
    -l [::1]:4                         IPv6 in brackets
    -p 30300,20200[,8545]              first p2p, RPC and web3 port of every host; node k of a host gets base + k
                                       2.x: p2p, channel and RPC port
    -f FILE                            a line a host: ip:n [agency [groups [ports]]], as 127.0.0.1:4 agencyA 1,2 30300,20200,8545

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
_IPCONF_WORDS = 4
_IPCONF_EXAMPLE = "for example: 127.0.0.1:4 agencyA 1 30300,20200,8545"
_AGENCY = re.compile(r"[a-zA-Z0-9._-]+")
_GROUP_END = 1 << 15  # group ids are int16 (GROUP_ID of libconfig)

EXAMPLE = "for example -l 127.0.0.1:4, or -l 10.0.0.1:2,10.0.0.2:2, or -l [::1]:4"


@dataclass(frozen=True, slots=True)
class PortBases:
    """First port of each role on every host: 3.x calls them p2p, rpc and web3, 2.x p2p, channel and (JSON-)RPC."""

    p2p: int = 30300
    rpc: int = 20200
    web3: int = 8545


@dataclass(frozen=True, slots=True)
class HostGroup:
    """So many nodes on one host. `address` is an IP address without brackets, or a domain name.

    `agency`, `groups` (2.x only) and `ports` come from a line of `-f`; `ports` None means the chain's.
    """

    address: str
    node_count: int
    agency: str = "agency"
    groups: tuple[int, ...] = (1,)
    ports: PortBases | None = None

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        try:
            return ipaddress.ip_address(self.address).is_loopback
        except ValueError:
            return self.address.lower() == "localhost"


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


def parse_ipconf(text: str, source: str) -> tuple[HostGroup, ...]:
    """The hosts of `-f`. A host may have several lines. Empty lines and lines from # are left out, which build_chain.sh cannot do.

    Raises UsageError naming the line.
    """
    groups: list[HostGroup] = []
    for number, raw in enumerate(text.splitlines(), start=1):
        words = raw.partition("#")[0].split()
        if not words:
            continue
        where = f"{source}, line {number}"
        if len(words) > _IPCONF_WORDS:
            raise UsageError(f"{where} has {len(words)} fields, not ip:n, agency, groups and ports", hint=_IPCONF_EXAMPLE)
        agency = words[1] if len(words) > 1 else "agency"
        if not _AGENCY.fullmatch(agency):
            raise UsageError(
                f"{where}: the agency {agency!r} may only hold letters, digits, dot, dash and underscore", hint=_IPCONF_EXAMPLE
            )
        numbers = words[2].split(",") if len(words) > 2 else ["1"]  # noqa: PLR2004 - the third word
        if not all(each.isascii() and each.isdigit() and 0 < int(each) < _GROUP_END for each in numbers):
            raise UsageError(f"{where}: the groups {words[2]!r} are not numbers from 1, with commas", hint=_IPCONF_EXAMPLE)
        try:
            address, count = _split(words[0], words[0])
            ports = parse_ports(words[3]) if len(words) == _IPCONF_WORDS else None
        except UsageError as problem:
            raise UsageError(f"{where}: {problem.message}", hint=_IPCONF_EXAMPLE) from problem
        groups.append(HostGroup(address, count, agency, tuple(dict.fromkeys(int(each) for each in numbers)), ports))
    if not groups:
        raise UsageError(f"{source} names no host", hint=_IPCONF_EXAMPLE)
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
