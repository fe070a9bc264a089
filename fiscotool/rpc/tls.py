"""TLS towards a node: the chain's CA, and the SDK certificate the node demands.

Facts (recorded, spec 3.x 2.1, 4.4): with `enable_ssl` a node speaks TLS 1.2 and closes the handshake unless the client presents a
certificate of the chain's CA (`nodes/<ip>/sdk/`). The certificates name no host, and build_chain.sh's CA has no basicConstraints:
host names are not checked and strict checking is off; that the certificate is of this chain's CA is.
"""

from __future__ import annotations

import functools
import ssl
from dataclasses import dataclass
from pathlib import Path

from fiscotool.errors import EnvironmentFailure


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Paths of the CA certificate, the client certificate and its key, in PEM."""

    ca: Path
    certificate: Path
    key: Path

    @classmethod
    def from_sdk(cls, directory: Path) -> TlsFiles:
        """The files in `nodes/<ip>/sdk`, by the names build_chain.sh gives them."""
        return cls(directory / "ca.crt", directory / "sdk.crt", directory / "sdk.key")


@functools.lru_cache(maxsize=32)
def client_context(files: TlsFiles) -> ssl.SSLContext:
    """An SSL context that trusts `files.ca` alone and presents the client certificate. Raises EnvironmentFailure naming the bad file."""
    for path in (files.ca, files.certificate, files.key):
        if not path.is_file():
            raise EnvironmentFailure(
                f"there is no {path}, which is needed to speak TLS to the node's RPC",
                hint="the sdk directory beside the nodes has ca.crt, sdk.crt and sdk.key; copy it from the host the chain was made on",
            )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    try:
        context.load_verify_locations(files.ca)
    except (ssl.SSLError, OSError) as problem:
        raise EnvironmentFailure(f"{files.ca} is no usable CA certificate: {problem}", hint="copy the sdk directory again") from problem
    try:
        context.load_cert_chain(files.certificate, files.key)
    except (ssl.SSLError, OSError) as problem:
        raise EnvironmentFailure(
            f"{files.certificate} and {files.key} are no usable certificate and key: {problem}",
            hint="they must belong to each other; copy the sdk directory again",
        ) from problem
    return context


@functools.lru_cache(maxsize=32)
def channel_context(files: TlsFiles) -> ssl.SSLContext:
    """As client_context, for the channel port of 2.x: TLS 1.2 at most, and the curve secp256k1 where the certificate is of it.

    Without that curve a client finds no cipher in common with such a node (spec 2.x 2.4).
    """
    context = client_context.__wrapped__(files)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    if _is_secp256k1(files.certificate):
        context.set_ecdh_curve("secp256k1")
    return context


def _is_secp256k1(path: Path) -> bool:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        key = x509.load_pem_x509_certificate(path.read_bytes()).public_key()
    except ValueError as problem:
        raise EnvironmentFailure(f"{path} is no usable certificate: {problem}", hint="copy the sdk directory again") from problem
    return isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp256k1"
