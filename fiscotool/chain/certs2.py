"""Keys and certificates of a FISCO BCOS 2 chain: a secp256k1 hierarchy for the nodes, an RSA one for the SDKs' channel.

    cert/ca.crt                    CN=chain, self-signed                    secp256k1
    cert/<agency>/agency.crt       CN=<agency>, signed by the chain         secp256k1
    node/conf/node.crt             CN=node<k>, signed by the agency; the file holds node, agency and chain, one behind the other
    cert/<agency>/channel/ca.crt   CN=<agency>, self-signed                 RSA 2048
    sdk.crt, channel_cert/node.crt CN=FISCO-BCOS, signed by the agency's channel CA; before 2.9.0 an SDK has a secp256k1 pair instead

A node has one key: it opens TLS links with it and signs votes with it, so its public key is its node id. A key whose first byte is 0 is
made again: nodes read the 32 bytes as a number and cut it.

Sources: build_chain.sh `gen_chain_cert`, `gen_agency_cert`, `gen_cert_secp256k1`, `gen_rsa_chain_cert`, `gen_rsa_node_cert`; spec 2.x 4.4.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from fiscotool.chain.certs import VALID_DAYS, key_pem, public_hex, rsa_key, subject

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

_SCALAR_BITS = 256


@dataclass(frozen=True, slots=True)
class Issuer:
    """A certificate that signs others, with its key. `serial` is of the last one it signed, as openssl leaves it in a .srl file."""

    key: Key
    certificate: x509.Certificate
    serial: str = ""

    @property
    def pem(self) -> bytes:
        """The certificate."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate file with its key file, PEM. `public` is the public key in 128 hex digits for secp256k1, else empty."""

    certificate: bytes
    key: bytes
    public: str = ""


@dataclass(frozen=True, slots=True)
class Agency:
    """An agency: what signs its nodes, and what signs its SDKs and its nodes' channel certificates."""

    issuer: Issuer
    channel: Issuer


@dataclass(frozen=True, slots=True)
class NodePairs:
    """What a node has: its identity, and its channel certificate."""

    node: Pair
    channel: Pair


@dataclass(frozen=True, slots=True)
class ChainKeys2:
    """All key material of one 2.x deployment. `nodes` are in the order asked for, `sdk` in that of the hosts."""

    chain: Issuer
    agencies: Mapping[str, Agency]
    nodes: tuple[NodePairs, ...]
    sdk: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class WantedNode:
    """A node to make keys for: the name of its directory, and its agency."""

    name: str
    agency: str


def make_keys2(
    nodes: Sequence[WantedNode], sdk_agencies: Sequence[str], *, rsa_channel: bool, now: datetime, report: Callable[[str], None]
) -> ChainKeys2:
    """Fresh keys and certificates of a chain. `sdk_agencies` has the agency of each sdk directory. `report` is told each piece done."""
    starts = start_of(now)
    names = tuple(dict.fromkeys([*(node.agency for node in nodes), *sdk_agencies]))
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1, thread_name_prefix="rsa") as pool:
        try:
            channel_jobs = {name: pool.submit(rsa_key) for name in names}
            node_jobs = [pool.submit(rsa_key) for _ in nodes]
            sdk_jobs: list[Future[rsa.RSAPrivateKey] | None] = [pool.submit(rsa_key) if rsa_channel else None for _ in sdk_agencies]
            chain = _self_signed(node_key(), "chain", starts)
            agencies = {
                name: Agency(_agency(name, chain, starts), _self_signed(job.result(), name, starts)) for name, job in channel_jobs.items()
            }
            report("certificate authorities")
            made: list[NodePairs] = []
            for done, (node, job) in enumerate(zip(nodes, node_jobs, strict=True), start=1):
                made.append(make_node(node, agencies[node.agency], chain.pem, job.result(), starts))
                report(f"certificate {done} of {len(nodes)}")
            sdk = []
            for name, sdk_job in zip(sdk_agencies, sdk_jobs, strict=True):
                sdk.append(make_sdk(agencies[name], chain.pem, sdk_job.result() if sdk_job is not None else None, starts))
                report("sdk certificate")
        except BaseException:
            # An interrupted deployment does not wait for keys nobody will use.
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return ChainKeys2(chain, agencies, tuple(made), tuple(sdk))


def start_of(now: datetime) -> datetime:
    """When certificates begin: a day ago, so that a host whose clock is behind accepts them."""
    return now.astimezone(UTC).replace(microsecond=0) - timedelta(days=1)


def node_key() -> ec.EllipticCurvePrivateKey:
    """A fresh secp256k1 key whose number takes all 32 bytes."""
    while True:
        key = ec.generate_private_key(ec.SECP256K1())
        if key.private_numbers().private_value >> (_SCALAR_BITS - 8):
            return key


def make_node(node: WantedNode, agency: Agency, chain_pem: bytes, channel_key: rsa.RSAPrivateKey, starts: datetime) -> NodePairs:
    """A node's identity and its channel certificate."""
    key = node_key()
    own = _issued(key, subject(node.name, "fisco-bcos", "node"), agency.issuer, starts, is_node=True)
    identity = Pair(own + agency.issuer.pem + chain_pem, key_pem(key), public_hex(key))
    return NodePairs(identity, _channel_pair(channel_key, agency, starts))


def make_sdk(agency: Agency, chain_pem: bytes, channel_key: rsa.RSAPrivateKey | None, starts: datetime) -> Pair:
    """An SDK's certificate: RSA with `channel_key`, else a fresh secp256k1 pair signed by the agency."""
    if channel_key is not None:
        return _channel_pair(channel_key, agency, starts)
    key = node_key()
    own = _issued(key, subject("sdk", "fisco-bcos", "sdk"), agency.issuer, starts, is_node=True)
    return Pair(own + agency.issuer.pem + chain_pem, key_pem(key), public_hex(key))


def _channel_pair(key: rsa.RSAPrivateKey, agency: Agency, starts: datetime) -> Pair:
    return Pair(_issued(key, subject("FISCO-BCOS", "fisco-bcos", "agency"), agency.channel, starts, is_node=False), key_pem(key))


def load_issuer(certificate: bytes, key: bytes) -> Issuer:
    """An issuer from its two PEM files. Raises ValueError where they are none, or do not belong together."""
    loaded = serialization.load_pem_private_key(key, None)
    if not isinstance(loaded, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise ValueError("its key is neither RSA nor elliptic")  # noqa: TRY004 - what the caller expects of a bad file
    parsed = x509.load_pem_x509_certificate(certificate)
    if parsed.public_key() != loaded.public_key():
        raise ValueError("its key and its certificate do not belong together")
    return Issuer(loaded, parsed)


def is_issued_by(issuer: Issuer, authority_pem: bytes) -> bool:
    """Whether the certificate of `issuer` is signed by `authority_pem`. Raises ValueError where that is no certificate."""
    try:
        issuer.certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority_pem))
    except (InvalidSignature, TypeError):
        return False
    return True


def _usage(*, is_ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, content_commitment=not is_ca, key_encipherment=not is_ca, data_encipherment=False, key_agreement=False,
        key_cert_sign=is_ca, crl_sign=is_ca, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _builder(name: x509.Name, issuer: x509.Name, key: Key, starts: datetime) -> x509.CertificateBuilder:
    return x509.CertificateBuilder(issuer, name, key.public_key(), x509.random_serial_number(), starts, starts + timedelta(days=VALID_DAYS))


def _self_signed(key: Key, common: str, starts: datetime) -> Issuer:
    name = subject(common, "fisco-bcos", "chain")
    certificate = (
        _builder(name, name, key, starts)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_usage(is_ca=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Issuer(key, certificate, f"{certificate.serial_number:040X}")


def _agency(name: str, chain: Issuer, starts: datetime) -> Issuer:
    key = node_key()
    certificate = (
        _builder(subject(name, "fisco-bcos", "agency"), chain.certificate.subject, key, starts)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_usage(is_ca=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_issuer_id(chain), critical=False)
        .sign(chain.key, hashes.SHA256())
    )
    return Issuer(key, certificate, f"{certificate.serial_number:040X}")


def _issuer_id(issuer: Issuer) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())


def _issued(key: Key, name: x509.Name, issuer: Issuer, starts: datetime, *, is_node: bool) -> bytes:
    builder = (
        _builder(name, issuer.certificate.subject, key, starts)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_issuer_id(issuer), critical=False)
    )
    if is_node:
        builder = builder.add_extension(_usage(is_ca=False), critical=False)
    return builder.sign(issuer.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
