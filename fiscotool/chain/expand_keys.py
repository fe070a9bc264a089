"""Keys and certificates of a node that joins an existing chain, signed by that chain's authority.

The authority of 3.x is a directory with ca.crt and ca.key; of 2.x an agency's, with a CA for nodes and one for the channel.

Sources: spec 3.x 4.4, 4.10; spec 2.x 4.4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from fiscotool.chain.files import PRIVATE, PlannedFile, cert_conf3
from fiscotool.chain.model import Generation, NodeHome
from fiscotool.errors import EnvironmentFailure

_T = TypeVar("_T")


def needed_files(generation: Generation) -> tuple[str, ...]:
    """What the directory of an authority must have: certificate and key, for 2.x of both."""
    return ("ca.crt", "ca.key") if generation == 3 else ("agency.crt", "agency.key", "channel/ca.crt", "channel/ca.key")  # noqa: PLR2004


def identity3(authority: Path, model: NodeHome, now: datetime) -> Iterator[PlannedFile]:
    """conf/ of a 3.x node. Raises EnvironmentFailure where `authority` is not that of `model`'s chain."""
    from fiscotool.chain.certs import issue_pair, make_signing_key

    certificate, key = ((authority / name).read_bytes() for name in needed_files(3))
    _require_own(authority / "ca.crt", certificate, model)
    pair = _made(authority, lambda: issue_pair(certificate, key, now=now))
    signing = make_signing_key()
    yield PlannedFile("conf/ca.crt", certificate)
    yield PlannedFile("conf/ssl.crt", pair.certificate)
    yield PlannedFile("conf/ssl.key", pair.key, PRIVATE)
    yield PlannedFile("conf/ssl.nodeid", f"{pair.p2p_id}\n".encode())
    yield PlannedFile("conf/cert.cnf", cert_conf3())
    yield PlannedFile("conf/node.pem", signing.key, PRIVATE)
    yield PlannedFile("conf/node.nodeid", f"{signing.public}\n".encode())


def identity2(authority: Path, model: NodeHome, name: str, now: datetime) -> Iterator[PlannedFile]:
    """conf/ of a 2.x node called `name`, but for its groups. Raises EnvironmentFailure where `authority` is of another chain."""
    from fiscotool.chain.certs import rsa_key
    from fiscotool.chain.certs2 import Agency, WantedNode, is_issued_by, load_issuer, make_node, start_of

    agency_crt, agency_key, channel_crt, channel_key = ((authority / name).read_bytes() for name in needed_files(2))
    chain_pem = (model.directory / "conf/ca.crt").read_bytes()
    agency = _made(authority, lambda: Agency(load_issuer(agency_crt, agency_key), load_issuer(channel_crt, channel_key)))
    if not _made(authority, lambda: is_issued_by(agency.issuer, chain_pem)):
        raise _foreign(authority / "agency.crt", model)
    pairs = make_node(WantedNode(name, authority.name), agency, chain_pem, rsa_key(), start_of(now))
    yield PlannedFile("conf/ca.crt", chain_pem)
    yield PlannedFile("conf/node.crt", pairs.node.certificate)
    yield PlannedFile("conf/node.key", pairs.node.key, PRIVATE)
    yield PlannedFile("conf/node.nodeid", f"{pairs.node.public}\n".encode())
    yield PlannedFile("conf/channel_cert/ca.crt", channel_crt)
    yield PlannedFile("conf/channel_cert/node.crt", pairs.channel.certificate)
    yield PlannedFile("conf/channel_cert/node.key", pairs.channel.key, PRIVATE)


def _require_own(path: Path, certificate: bytes, model: NodeHome) -> None:
    if certificate.strip() != (model.directory / "conf/ca.crt").read_bytes().strip():
        raise _foreign(path, model)


def _foreign(path: Path, model: NodeHome) -> EnvironmentFailure:
    return EnvironmentFailure(
        f"{path} is not of this chain's authority: {model.name} would not accept what it signs",
        hint="name the directory of the chain's own authority with --ca",
    )


def _made(place: Path, make: Callable[[], _T]) -> _T:
    try:
        return make()
    except (ValueError, TypeError) as problem:
        raise EnvironmentFailure(f"{place} holds no usable authority: {problem}", hint="name another directory with --ca") from problem
