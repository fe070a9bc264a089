"""What a node reads of a certificate, without a certificate library: the key, which is its P2P id, and two names.

A node must stay small; loading an X.509 library for some bytes would cost it more memory than its whole consensus.
The TLS layer has verified the certificate before this module sees it.

Sources: spec 3.x 3.5 (P2P id = modulus of ssl.crt in hex); spec 2.x 4.4 (P2P id = public key of node.crt = node id); RFC 5280 section
4.1 (order of TBSCertificate's fields); X.690 section 8.1.
"""

from __future__ import annotations

import ssl
from hashlib import sha256
from pathlib import Path
from typing import Final

__all__ = ["DerError", "certificate_of", "fingerprint", "names_of", "p2p_id_of"]

_SEQUENCE: Final = 0x30
_INTEGER: Final = 0x02
_BIT_STRING: Final = 0x03
_VERSION: Final = 0xA0
_LONG_FORM: Final = 0x80
_POINT: Final = 0x04
_POINT_BYTES: Final = 64
_COMMON_NAME: Final = bytes.fromhex("0603550403")


class DerError(ValueError):
    """The bytes are not a certificate with an RSA or secp256k1 key."""


def _element(data: bytes, position: int) -> tuple[int, int, int]:
    """(tag, start of the content, end of the content) of the element at `position`."""
    try:
        tag, length = data[position], data[position + 1]
    except IndexError as problem:
        raise DerError("the certificate ends too early") from problem
    start = position + 2
    if length & _LONG_FORM:
        count = length & ~_LONG_FORM
        length = int.from_bytes(data[start : start + count], "big")
        start += count
    if start + length > len(data):
        raise DerError("an element of the certificate is longer than the certificate")
    return tag, start, start + length


def _expect(data: bytes, position: int, tag: int) -> tuple[int, int]:
    found, start, end = _element(data, position)
    if found != tag:
        raise DerError(f"the certificate has element 0x{found:02x} where 0x{tag:02x} belongs")
    return start, end


def _fields(certificate: bytes) -> tuple[int, int, int]:
    """Where issuer, subject and key of a DER certificate begin. Raises DerError."""
    position, _ = _expect(certificate, _expect(certificate, 0, _SEQUENCE)[0], _SEQUENCE)
    tag, _, end = _element(certificate, position)
    if tag == _VERSION:
        position = end
    found = []
    for _field in ("serial number", "signature algorithm", "issuer", "validity", "subject"):
        found.append(position)
        position = _element(certificate, position)[2]
    return found[2], found[4], position


def p2p_id_of(certificate: bytes) -> str:
    """What certificate lists call the node, lower-case hex: the modulus of an RSA key, the point of a secp256k1 key. Raises DerError."""
    key_info, _ = _expect(certificate, _fields(certificate)[2], _SEQUENCE)
    bits, end = _expect(certificate, _element(certificate, key_info)[2], _BIT_STRING)
    # The bit string starts with the number of its unused bits, which is 0 for a key.
    if certificate[bits + 1] == _POINT and end - bits - 2 == _POINT_BYTES:
        return certificate[bits + 2 : end].hex()
    public_key, _ = _expect(certificate, bits + 1, _SEQUENCE)
    start, end = _expect(certificate, public_key, _INTEGER)
    return certificate[start:end].lstrip(b"\0").hex()


def names_of(certificate: bytes) -> tuple[str, str]:
    """The common names of subject and issuer, empty where there is none. Raises DerError."""
    issuer, subject, _ = _fields(certificate)
    return _common_name(certificate, subject), _common_name(certificate, issuer)


def _common_name(certificate: bytes, position: int) -> str:
    start, end = _expect(certificate, position, _SEQUENCE)
    at = certificate.find(_COMMON_NAME, start, end)
    if at < 0:
        return ""
    _, start, end = _element(certificate, at + len(_COMMON_NAME))
    return certificate[start:end].decode("utf-8", "replace")


def fingerprint(certificate: bytes) -> bytes:
    """SHA-256 of a DER certificate: 32 bytes."""
    return sha256(certificate).digest()


def certificate_of(path: Path) -> bytes:
    """The first certificate of a PEM file as DER. Raises OSError or ValueError."""
    text = path.read_text(encoding="ascii")
    end = "-----END CERTIFICATE-----"
    head, found, _ = text.partition(end)
    start = head.rfind("-----BEGIN CERTIFICATE-----")
    if not found or start < 0:
        raise DerError(f"{path} holds no PEM certificate")
    return ssl.PEM_cert_to_DER_cert(head[start:] + end)
