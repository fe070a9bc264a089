"""Keys and certificates of a chain: one RSA certificate authority, an RSA pair per node and SDK, a secp256k1 key per node.

    ca.crt   self-signed, CN=FISCO-BCOS-<8 hex> O=the same OU=chain, 100 years
    ssl.crt  signed by it, CN=FISCO-BCOS-<the same> O=fisco-bcos OU=agency, 100 years, sha256
    *.nodeid of a certificate: the RSA modulus in 512 hex digits; of a node: its public key in 128 hex digits

Theory. Finding primes for RSA-2048 takes 40 to 100 ms of a core and nearly all the time of a deployment. The cryptography library does
it without holding the interpreter's lock, so a thread per core makes keys in parallel; the cost is linear in the number of nodes.

Sources: build_chain.sh `gen_chain_cert`, `gen_rsa_node_cert`, `generate_secp256k1_node_account`; spec 3.x 4.4.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

_RSA_BITS = 2048
_RSA_EXPONENT = 65537
VALID_DAYS = 36500
_PUBLIC_KEY_HEAD_BYTES = 1  # the 04 of an uncompressed point


@dataclass(frozen=True, slots=True)
class TlsPair:
    """A certificate with its key, PEM, and the id other nodes know it by (512 hex digits)."""

    certificate: bytes
    key: bytes
    p2p_id: str


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A secp256k1 key, PKCS#8 PEM. `public` is 64 bytes x, y in 128 hex digits: the node id."""

    key: bytes
    public: str
    public_pem: bytes


@dataclass(frozen=True, slots=True)
class ChainKeys:
    """All key material of one deployment. `nodes` and `node_tls` are in the order of the plan, `sdk_tls` in that of its hosts.

    `serial` is the last certificate's serial number in hex, as openssl leaves it in ca.srl.
    """

    ca_certificate: bytes
    ca_key: bytes
    serial: str
    nodes: tuple[SigningKey, ...]
    node_tls: tuple[TlsPair, ...]
    sdk_tls: tuple[TlsPair, ...]
    admin: SigningKey
    admin_address: str


def make_keys(node_count: int, sdk_count: int, *, now: datetime, report: Callable[[str], None]) -> ChainKeys:
    """Fresh keys and certificates for so many nodes and SDK directories. `report` is told each piece that is done.

    Certificates are valid from `now` minus a day, so that a host whose clock is behind accepts them.
    """
    tag = secrets.token_hex(4)
    starts = now.astimezone(UTC).replace(microsecond=0) - timedelta(days=1)
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1, thread_name_prefix="rsa") as pool:
        ca_job = pool.submit(rsa_key)
        pair_jobs = [pool.submit(rsa_key) for _ in range(node_count + sdk_count)]
        try:
            ca = _authority(ca_job.result(), tag, starts)
            report("certificate authority")
            pairs: list[TlsPair] = []
            serial = 0
            for done, job in enumerate(pair_jobs, start=1):
                pair, serial = _issue(job.result(), ca, tag, starts)
                pairs.append(pair)
                report(f"certificate {done} of {len(pair_jobs)}")
        except BaseException:
            # An interrupted deployment does not wait for keys nobody will use.
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    admin = make_signing_key()
    return ChainKeys(
        ca_certificate=ca.certificate.public_bytes(serialization.Encoding.PEM),
        ca_key=key_pem(ca.key),
        serial=f"{serial:040X}",
        nodes=tuple(make_signing_key() for _ in range(node_count)),
        node_tls=tuple(pairs[:node_count]),
        sdk_tls=tuple(pairs[node_count:]),
        admin=admin,
        admin_address=address_of(admin.public),
    )


def make_signing_key() -> SigningKey:
    """A fresh secp256k1 key."""
    key = ec.generate_private_key(ec.SECP256K1())
    public_pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return SigningKey(key_pem(key), public_hex(key), public_pem)


def public_hex(key: ec.EllipticCurvePrivateKey) -> str:
    """The public key as a node id: x and y in 128 hex digits."""
    point = key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    return point[_PUBLIC_KEY_HEAD_BYTES:].hex()


def address_of(public: str) -> str:
    """0x-address of a public key given as 128 hex digits: the last 20 bytes of its keccak-256."""
    import sha3

    return "0x" + str(sha3.keccak_256(bytes.fromhex(public)).hexdigest())[24:]


def issue_pair(ca_certificate: bytes, ca_key: bytes, *, now: datetime) -> TlsPair:
    """A fresh node certificate of an authority that exists, given in PEM. Raises ValueError where it is none, or not RSA."""
    key = serialization.load_pem_private_key(ca_key, None)
    certificate = x509.load_pem_x509_certificate(ca_certificate)
    if not isinstance(key, rsa.RSAPrivateKey) or key.public_key() != certificate.public_key():
        raise ValueError("its key is no RSA key, or not the certificate's")
    starts = now.astimezone(UTC).replace(microsecond=0) - timedelta(days=1)
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    tag = str(names[0].value).removeprefix("FISCO-BCOS-") if names else secrets.token_hex(4)
    return _issue(rsa_key(), _Authority(key, certificate), tag, starts)[0]


@dataclass(frozen=True, slots=True)
class _Authority:
    key: rsa.RSAPrivateKey
    certificate: x509.Certificate


def rsa_key() -> rsa.RSAPrivateKey:
    """A fresh RSA-2048 key: 40 to 100 ms of a core, without the interpreter's lock."""
    return rsa.generate_private_key(public_exponent=_RSA_EXPONENT, key_size=_RSA_BITS)


def key_pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    """The key as unencrypted PKCS#8 PEM."""
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def subject(common: str, organization: str, unit: str) -> x509.Name:
    """CN, O and OU, in the order of build_chain.sh."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, common),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit),
        ]
    )


def _authority(key: rsa.RSAPrivateKey, tag: str, starts: datetime) -> _Authority:
    name = subject(f"FISCO-BCOS-{tag}", f"FISCO-BCOS-{tag}", "chain")
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), starts, starts + timedelta(days=VALID_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return _Authority(key, certificate)


def _issue(key: rsa.RSAPrivateKey, ca: _Authority, tag: str, starts: datetime) -> tuple[TlsPair, int]:
    name = subject(f"FISCO-BCOS-{tag}", "fisco-bcos", "agency")
    serial = x509.random_serial_number()
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key())
    certificate = (
        x509.CertificateBuilder(ca.certificate.subject, name, key.public_key(), serial, starts, starts + timedelta(days=VALID_DAYS))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(issuer_key, critical=False)
        .sign(ca.key, hashes.SHA256())
    )
    modulus = f"{key.public_key().public_numbers().n:0{_RSA_BITS // 4}x}"
    return TlsPair(certificate.public_bytes(serialization.Encoding.PEM), key_pem(key), modulus), serial
