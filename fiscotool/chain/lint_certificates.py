"""Lint: certificates that are signed by somebody else, out of their time, or not of their key.

3.x   conf/ca.crt ◀── conf/ssl.crt, ../sdk/sdk.crt
2.x   conf/ca.crt ◀── agency ◀── conf/node.crt (one file), conf/channel_cert/ca.crt ◀── channel_cert/node.crt, ../sdk/sdk.crt
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING

from fiscotool.chain.findings import Finding, found
from fiscotool.chain.lint_words import WORDS
from fiscotool.chain.survey import NodeSurvey, Survey

if TYPE_CHECKING:
    from cryptography import x509

_SOON_DAYS = 90
_PEERS_REFUSE = "the other nodes refuse its connections"
_CLIENTS_REFUSED = "SDKs with this chain's certificates are refused"
_SDK_REFUSED = "the nodes of this host refuse clients that show it"


def check_certificates(survey: Survey, now: datetime) -> Iterator[Finding]:
    """Every certificate of every node and sdk directory, at the time `now`."""
    plain = [node for node in survey.nodes if not node.sm_crypto]
    first = next((node for node in plain if "conf/ca.crt" in node.contents), None)
    for node in plain:
        if first is not None and node.contents.get("conf/ca.crt", b"").strip() not in {b"", first.contents["conf/ca.crt"].strip()}:
            yield found(WORDS, "ca-differs", node.name, path="conf/ca.crt", other=first.name)
        yield from _check_node(node, now)
    for host, files in survey.sdk.items():
        here = next((node for node in plain if node.host == host), None)
        if here is not None and "sdk.crt" in files and "ca.crt" in files:
            name = f"{host}/sdk"
            leaf, authority = _load(files["sdk.crt"]), _load(files["ca.crt"])
            yield from _check_times(name, "sdk.crt", leaf, now)
            if leaf and authority and not _is_signed(leaf[0], leaf[1] if len(leaf) > 1 else authority[0]):
                yield found(WORDS, "certificate-foreign", name, path="sdk.crt", authority="sdk/ca.crt", consequence=_SDK_REFUSED)
            yield from _check_key(name, "sdk.crt", leaf, "sdk.key", files.get("sdk.key", b""))


def _check_node(node: NodeSurvey, now: datetime) -> Iterator[Finding]:
    authority = _load(node.contents.get("conf/ca.crt", b""))
    is_3 = node.generation == 3  # noqa: PLR2004 - FISCO BCOS 3
    leaf_path, key_path = ("conf/ssl.crt", "conf/ssl.key") if is_3 else ("conf/node.crt", "conf/node.key")
    leaf = _load(node.contents.get(leaf_path, b""))
    for path, chain in (("conf/ca.crt", authority), (leaf_path, leaf)):
        content = node.contents.get(path)
        if content is not None and not chain:
            yield found(WORDS, "file-damaged", node.name, path=path, fact="it holds no certificate")
        yield from _check_times(node.name, path, chain, now)
    if leaf and authority and not _is_chain(leaf, authority[0]):
        yield found(
            WORDS, "certificate-foreign", node.name, path=leaf_path, authority=f"{node.name}/conf/ca.crt", consequence=_PEERS_REFUSE
        )
    yield from _check_key(node.name, leaf_path, leaf, key_path, node.contents.get(key_path, b""))
    if not is_3:
        place = "conf/channel_cert"
        channel_ca, channel = _load(node.contents.get(f"{place}/ca.crt", b"")), _load(node.contents.get(f"{place}/node.crt", b""))
        yield from _check_times(node.name, f"{place}/node.crt", channel, now)
        if channel and channel_ca and not _is_signed(channel[0], channel_ca[0]):
            yield found(
                WORDS, "certificate-foreign", node.name, path=f"{place}/node.crt", authority=f"{place}/ca.crt", consequence=_CLIENTS_REFUSED
            )
        yield from _check_key(node.name, f"{place}/node.crt", channel, f"{place}/node.key", node.contents.get(f"{place}/node.key", b""))


def _load(content: bytes) -> tuple[x509.Certificate, ...]:
    from cryptography import x509

    try:
        return tuple(x509.load_pem_x509_certificates(content)) if content else ()
    except ValueError:
        return ()


def _is_chain(chain: tuple[x509.Certificate, ...], authority: x509.Certificate) -> bool:
    """Whether each certificate of a file is signed by the next, and the last by `authority` (or is it)."""
    links = [*chain, authority] if chain[-1] != authority else list(chain)
    return all(_is_signed(lower, upper) for lower, upper in pairwise(links)) and links[0] != authority


def _is_signed(leaf: x509.Certificate, authority: x509.Certificate) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        leaf.verify_directly_issued_by(authority)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _check_times(name: str, path: str, chain: tuple[x509.Certificate, ...], now: datetime) -> Iterator[Finding]:
    for certificate in chain[:1]:
        begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        left_days = (ends - now).days
        if now > ends:
            yield found(WORDS, "certificate-expired", name, path=path, date=f"{ends:%Y-%m-%d}")
        elif left_days < _SOON_DAYS:
            yield found(WORDS, "certificate-expires", name, path=path, date=f"{ends:%Y-%m-%d}", days=left_days)
        if now < begins:
            yield found(WORDS, "certificate-not-yet", name, path=path, date=f"{begins:%Y-%m-%d %H:%M}Z")


def _check_key(name: str, path: str, chain: tuple[x509.Certificate, ...], key_path: str, key: bytes) -> Iterator[Finding]:
    from cryptography.hazmat.primitives import serialization

    if not chain or not key:
        return
    try:
        loaded = serialization.load_pem_private_key(key, None, unsafe_skip_rsa_key_validation=True)
    except (ValueError, TypeError):
        yield found(WORDS, "file-damaged", name, path=key_path, fact="it holds no unencrypted private key")
        return
    if loaded.public_key() != chain[0].public_key():
        yield found(WORDS, "certificate-key", name, path=path, key=key_path)
