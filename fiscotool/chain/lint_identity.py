"""Lint: who the nodes are, and whether they agree on the chain's beginning."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from fiscotool.chain.findings import Finding, found
from fiscotool.chain.ini import Ini
from fiscotool.chain.lint_words import WORDS
from fiscotool.chain.reading import differences
from fiscotool.chain.survey import NodeSurvey, Survey

_SEALER_KEY = re.compile(r"node\.\d+")
_SHORT = 8
_SHOWN_MAX = 2
_FAULT_TOLERANT_MIN = 4

SHARED_SETTINGS_2 = (
    ("chain", "id"),
    ("chain", "sm_crypto"),
    ("chain", "sm_crypto_channel"),
    ("chain", "rsa_crypto_channel"),
    ("compatibility", "supported_version"),
)
"""What all 2.x nodes of a chain must have alike, beside the genesis files (spec 2.x 4.5: "never change")."""


def check_identities(survey: Survey) -> Iterator[Finding]:
    """Keys used twice, and ids that are not those of the keys."""
    for node_id, names in _twice((node.node_id, node.name) for node in survey.nodes):
        yield found(WORDS, "identity-twice", names, node_id=node_id[:_SHORT])
    if survey.generation == 3:  # noqa: PLR2004 - in 2.x the node key is the TLS key
        for _, names in _twice(
            (node.contents.get("conf/ssl.crt", b"").strip().decode(errors="replace"), node.name) for node in survey.nodes
        ):
            yield found(WORDS, "tls-identity-twice", names)
    for node in survey.nodes:
        yield from _check_ids(node)


def _twice(pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[str, tuple[str, ...]]]:
    owners: dict[str, list[str]] = defaultdict(list)
    for value, name in pairs:
        if value:
            owners[value].append(name)
    yield from ((value, tuple(names)) for value, names in owners.items() if len(names) > 1)


def _check_ids(node: NodeSurvey) -> Iterator[Finding]:
    path = "conf/node.pem" if node.generation == 3 else "conf/node.key"  # noqa: PLR2004 - FISCO BCOS 3
    real = _public_of(node.contents.get(path, b""))
    if real and node.node_id and real != node.node_id:
        yield found(WORDS, "nodeid-wrong", node.name, path="conf/node.nodeid", told=node.node_id[:_SHORT], real=real[:_SHORT])
    if node.generation == 3:  # noqa: PLR2004
        modulus = _modulus_of(node.contents.get("conf/ssl.crt", b""))
        if modulus and node.p2p_id and modulus != node.p2p_id:
            yield found(WORDS, "nodeid-wrong", node.name, path="conf/ssl.nodeid", told=node.p2p_id[:_SHORT], real=modulus[:_SHORT])


def _public_of(pem: bytes) -> str:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    from fiscotool.chain.certs import public_hex

    try:
        key = serialization.load_pem_private_key(pem, None, unsafe_skip_rsa_key_validation=True)
    except (ValueError, TypeError):
        return ""
    return public_hex(key) if isinstance(key, ec.EllipticCurvePrivateKey) else ""


def _modulus_of(pem: bytes) -> str:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import rsa

    try:
        key = x509.load_pem_x509_certificate(pem).public_key()
    except ValueError:
        return ""
    return f"{key.public_numbers().n:0{key.key_size // 4}x}" if isinstance(key, rsa.RSAPublicKey) else ""


def check_genesis(survey: Survey) -> Iterator[Finding]:
    """Genesis files, and what else the whole chain must have alike; and who of the sealers is here."""
    first: dict[str, tuple[NodeSurvey, Ini]] = {}
    for node in survey.nodes:
        for path, ini in node.genesis.items():
            other, expected = first.setdefault(path, (node, ini))
            different = differences(ini, expected, other.name)
            if different:
                more = f" (+{len(different) - _SHOWN_MAX})" if len(different) > _SHOWN_MAX else ""
                shown = "; ".join(different[:_SHOWN_MAX]) + more
                yield found(WORDS, "genesis-differs", node.name, path=path, other=other.name, difference=shown)
    if survey.generation == 2:  # noqa: PLR2004 - FISCO BCOS 2
        yield from _check_shared(survey)
    yield from _check_sealers(survey, {path: sealers_of(ini) for path, (_, ini) in first.items()})


def sealers_of(ini: Ini) -> frozenset[str]:
    """Node ids of the sealers in a genesis file."""
    return frozenset(value.split(":")[0].strip().lower() for key, value in ini.get("consensus", {}).items() if _SEALER_KEY.fullmatch(key))


def _check_shared(survey: Survey) -> Iterator[Finding]:
    for section, key in SHARED_SETTINGS_2:
        values = {node.name: node.setting(section, key) for node in survey.nodes if node.config}
        if len(set(values.values())) > 1:
            # The most common value is taken for the chain's, and of equals the first node's.
            counted = sorted(dict.fromkeys(values.values()), key=lambda value: -list(values.values()).count(value))
            for value in counted[1:]:
                names = [name for name, own in values.items() if own == value]
                yield found(WORDS, "setting-differs", names, setting=f"[{section}] {key}", value=value or '""', expected=counted[0] or '""')


def _check_sealers(survey: Survey, sealers: Mapping[str, frozenset[str]]) -> Iterator[Finding]:
    everyone = frozenset[str]().union(*sealers.values()) if sealers else frozenset[str]()
    ids = {node.node_id for node in survey.nodes}
    for node in survey.nodes:
        if node.node_id and everyone and node.node_id not in everyone:
            yield found(WORDS, "not-in-genesis", node.name)
    elsewhere = sorted(everyone - ids)
    if elsewhere and all(node.node_id for node in survey.nodes):
        shown = ", ".join(f"{each[:_SHORT]}…" for each in elsewhere[:3])
        yield found(WORDS, "sealer-elsewhere", (), count=len(elsewhere), total=len(everyone), ids=shown)
    for members in sealers.values():
        if 1 < len(members) < _FAULT_TOLERANT_MIN:
            yield found(WORDS, "no-fault-tolerance", (), total=len(members))
