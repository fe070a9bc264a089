"""Keccak-256 and secp256k1 signatures as a non-SM FISCO BCOS 3.x chain uses them.

Rule 1. A signature is 65 bytes r ‖ s ‖ v with v in 0..3, the recovery id; it is made over a 32-byte hash, never over a message.
Rule 2. A public key, a node id, is the 64-byte uncompressed point without its 04 prefix; an address is the last 20 bytes of its keccak.
Rule 3. `recover` accepts every signature libsecp256k1 can recover a key from, also with a high s; `verify` wants a low s and ignores
        which of 0..3 the v is. Both are what the node's own library does; so a broken client signature often "works" and gives
        another sender (recorded: rpc/sendTransaction_cases.txt, "broken signature").

libsecp256k1 is called through coincurve's cffi handles: no key object is allocated per transaction, and the 47 µs of curve
arithmetic are all that a recovery costs. Calls release the GIL and share no buffers, so threads may use this module freely.

Sources: spec 3.x 3.2, 3.5; bcos-crypto signature/secp256k1/Secp256k1Crypto.cpp; libsecp256k1 include/secp256k1_recovery.h.
"""

from __future__ import annotations

import secrets
from functools import lru_cache
from typing import Any, Final

from coincurve._libsecp256k1 import ffi as _ffi
from coincurve._libsecp256k1 import lib as _lib
from coincurve.context import GLOBAL_CONTEXT
from sha3 import keccak_256 as _keccak_256

from fiscotool.ledger.errors import BadSignature, KeyFormatError

__all__ = ["BadSignature", "KeyPair", "address_of", "is_signed_by", "keccak256", "recover", "verify"]

_CONTEXT: Final = GLOBAL_CONTEXT.ctx
_UNCOMPRESSED: Final = 2  # SECP256K1_EC_UNCOMPRESSED: the flag for a point without a compression bit.
_HASH_BYTES: Final = 32
_SIGNATURE_BYTES: Final = 65
_PUBLIC_KEY_BYTES: Final = 64
_RECOVERY_ID_MAX: Final = 3
_GROUP_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_S_MAX: Final = (_GROUP_ORDER // 2).to_bytes(32, "big")

_new: Final = _ffi.new
_buffer: Final = _ffi.buffer
_parse_recoverable: Final = _lib.secp256k1_ecdsa_recoverable_signature_parse_compact
_recover: Final = _lib.secp256k1_ecdsa_recover
_serialize_public: Final = _lib.secp256k1_ec_pubkey_serialize


def keccak256(data: bytes) -> bytes:
    """Keccak-256 with Ethereum's padding (not SHA3-256): 32 bytes."""
    digest: bytes = _keccak_256(data).digest()
    return digest


def address_of(public_key64: bytes) -> bytes:
    """The 20-byte account address of a 64-byte public key."""
    digest: bytes = _keccak_256(public_key64).digest()
    return digest[12:]


def _serialized(public_key: Any) -> bytes:
    out = _new("unsigned char[65]")
    length = _new("size_t *", 65)
    _serialize_public(_CONTEXT, out, length, public_key, _UNCOMPRESSED)
    point: bytes = _buffer(out)[1:]
    return point


def recover(hash32: bytes, signature65: bytes) -> bytes:
    """The 64-byte public key whose owner made `signature65` over `hash32`.

    Raises BadSignature for a wrong length, a v above 3, or numbers no key could have produced.
    """
    if len(hash32) != _HASH_BYTES or len(signature65) != _SIGNATURE_BYTES:
        raise BadSignature(f"a signature has 65 bytes over a 32-byte hash, not {len(signature65)} over {len(hash32)}")
    recovery_id = signature65[64]
    if recovery_id > _RECOVERY_ID_MAX:
        raise BadSignature(f"recovery id {recovery_id} of a signature is not one of 0, 1, 2, 3")
    parsed = _new("secp256k1_ecdsa_recoverable_signature *")
    if not _parse_recoverable(_CONTEXT, parsed, signature65[:64], recovery_id):
        raise BadSignature("r or s of a signature is not below the order of the curve")
    public_key = _new("secp256k1_pubkey *")
    if not _recover(_CONTEXT, public_key, parsed, hash32):
        raise BadSignature("no public key can have made this signature")
    return _serialized(public_key)


@lru_cache(maxsize=1024)
def _parsed_key(public_key64: bytes) -> Any:
    """The key in libsecp256k1's form, or None when the 64 bytes are not a point of the curve. A chain has few sealers: parsed once."""
    parsed = _new("secp256k1_pubkey *")
    if len(public_key64) != _PUBLIC_KEY_BYTES or not _lib.secp256k1_ec_pubkey_parse(_CONTEXT, parsed, b"\x04" + public_key64, 65):
        return None
    return parsed


def verify(public_key64: bytes, hash32: bytes, signature65: bytes) -> bool:
    """Whether the owner of `public_key64` made `signature65` over `hash32`. Never raises: nonsense is False."""
    if len(signature65) != _SIGNATURE_BYTES or len(hash32) != _HASH_BYTES or signature65[64] > _RECOVERY_ID_MAX:
        return False
    public_key = _parsed_key(public_key64)
    if public_key is None:
        return False
    parsed = _new("secp256k1_ecdsa_signature *")
    if not _lib.secp256k1_ecdsa_signature_parse_compact(_CONTEXT, parsed, signature65[:64]):
        return False
    return bool(_lib.secp256k1_ecdsa_verify(_CONTEXT, parsed, hash32, public_key))


def is_signed_by(public_key64: bytes, hash32: bytes, signature65: bytes) -> bool:
    """As `verify`, and with the right recovery id: not a bit of the signature may differ. A quarter slower. Never raises."""
    if len(signature65) != _SIGNATURE_BYTES or len(hash32) != _HASH_BYTES or signature65[64] > _RECOVERY_ID_MAX:
        return False
    known = _parsed_key(public_key64)
    if known is None or signature65[32:64] > _S_MAX:
        return False
    parsed = _new("secp256k1_ecdsa_recoverable_signature *")
    if not _parse_recoverable(_CONTEXT, parsed, signature65[:64], signature65[64]):
        return False
    public_key = _new("secp256k1_pubkey *")
    return bool(_recover(_CONTEXT, public_key, parsed, hash32)) and not _lib.secp256k1_ec_pubkey_cmp(_CONTEXT, public_key, known)


class KeyPair:
    """A secp256k1 key: a node's (conf/node.pem) or an account's. Signs deterministically (RFC 6979), with a low s.

    `node_id` is the 64-byte public key, `address` the 20-byte account. The secret shows in neither repr nor errors.
    """

    __slots__ = ("_secret", "address", "node_id")

    def __init__(self, secret32: bytes) -> None:
        if len(secret32) != _HASH_BYTES or not 0 < int.from_bytes(secret32, "big") < _GROUP_ORDER:
            raise KeyFormatError(
                "a secp256k1 secret is 32 bytes between 1 and the order of the curve",
                hint="make a new key, for example with: openssl ecparam -name secp256k1 -genkey -noout",
            )
        public_key = _new("secp256k1_pubkey *")
        _lib.secp256k1_ec_pubkey_create(_CONTEXT, public_key, secret32)
        self._secret = secret32
        self.node_id: bytes = _serialized(public_key)
        self.address: bytes = address_of(self.node_id)

    def __repr__(self) -> str:
        return f"KeyPair(address=0x{self.address.hex()})"

    @classmethod
    def from_secret(cls, secret32: bytes) -> KeyPair:
        """The key of a 32-byte secret. Raises KeyFormatError."""
        return cls(bytes(secret32))

    @classmethod
    def generate(cls) -> KeyPair:
        """A new key from the operating system's randomness."""
        return cls((secrets.randbelow(_GROUP_ORDER - 1) + 1).to_bytes(32, "big"))

    @classmethod
    def from_pem(cls, pem: str | bytes) -> KeyPair:
        """The key of an unencrypted PEM text (PKCS#8 as in conf/node.pem, or SEC1). Raises KeyFormatError."""
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        hint = "expected an unencrypted secp256k1 key as build_chain.sh writes it to conf/node.pem"
        try:
            key = load_pem_private_key(pem.encode() if isinstance(pem, str) else pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as problem:
            raise KeyFormatError(f"not a usable PEM private key: {problem}", hint=hint) from problem
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256K1):
            raise KeyFormatError("the PEM text holds a key, but not one of the curve secp256k1", hint=hint)
        return cls(key.private_numbers().private_value.to_bytes(32, "big"))

    def to_pem(self) -> str:
        """PKCS#8 PEM, unencrypted, as in conf/node.pem."""
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        key = ec.derive_private_key(int.from_bytes(self._secret, "big"), ec.SECP256K1())
        return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    def sign(self, hash32: bytes) -> bytes:
        """Signature r ‖ s ‖ v over a 32-byte hash: 65 bytes, v in 0..3."""
        if len(hash32) != _HASH_BYTES:
            raise ValueError(f"only a 32-byte hash can be signed, not {len(hash32)} bytes")
        signature = _new("secp256k1_ecdsa_recoverable_signature *")
        signed = _lib.secp256k1_ecdsa_sign_recoverable(_CONTEXT, signature, hash32, self._secret, _ffi.NULL, _ffi.NULL)
        assert signed, "RFC 6979 found no nonce: impossible for a valid secret"
        out = _new("unsigned char[64]")
        recovery_id = _new("int *")
        _lib.secp256k1_ecdsa_recoverable_signature_serialize_compact(_CONTEXT, out, recovery_id, signature)
        compact: bytes = _buffer(out)[:]
        return compact + bytes((recovery_id[0],))
