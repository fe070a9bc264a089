"""Keys, signatures, addresses: published vectors, agreement with coincurve and eth-keys' conventions, refusal of nonsense."""

from __future__ import annotations

import threading
from contextlib import suppress

import coincurve
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from fiscotool.ledger.crypto import BadSignature, KeyPair, address_of, keccak256, recover, verify
from fiscotool.ledger.errors import KeyFormatError
from tests.ledger.samples import KEY, hashes

_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


# Ethereum's well-known values.
@pytest.mark.parametrize(
    ("message", "digest"),
    [
        pytest.param(b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470", id="of nothing"),
        pytest.param(b"abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45", id="of abc"),
    ],
)
def test_keccak(message: bytes, digest: str) -> None:
    assert keccak256(message).hex() == digest


def test_address_of_secret_one() -> None:
    """The account of the secret 1 is in every Ethereum test suite."""
    assert KeyPair.from_secret(bytes(31) + b"\x01").address.hex() == "7e5f4552091a69125d5dfcb7b8c2659029395bdf"


@given(hash32=hashes, number=st.integers(1, _ORDER - 1))
def test_who_signs_is_recovered(hash32: bytes, number: int) -> None:
    key = KeyPair.from_secret(number.to_bytes(32, "big"))
    signature = key.sign(hash32)
    assert recover(hash32, signature) == key.node_id
    assert address_of(key.node_id) == key.address
    assert verify(key.node_id, hash32, signature)
    assert signature == coincurve.PrivateKey(number.to_bytes(32, "big")).sign_recoverable(hash32, hasher=None)


@given(hash32=hashes, bit=st.integers(0, 64 * 8 - 1))
def test_a_flipped_bit_of_r_or_s_is_noticed(hash32: bytes, bit: int) -> None:
    signature = bytearray(KEY.sign(hash32))
    signature[bit // 8] ^= 1 << bit % 8
    assert not verify(KEY.node_id, hash32, bytes(signature))
    with suppress(BadSignature):
        assert recover(hash32, bytes(signature)) != KEY.node_id


@given(hash32=hashes, bit=st.integers(0, 255))
def test_a_flipped_bit_of_the_hash_is_noticed(hash32: bytes, bit: int) -> None:
    other = (int.from_bytes(hash32, "big") ^ (1 << bit)).to_bytes(32, "big")
    assert not verify(KEY.node_id, other, KEY.sign(hash32))


def test_a_high_s_is_recovered_but_not_verified() -> None:
    """libsecp256k1's rule, hence the node's: two signatures recover to the sender, only the one with the low s verifies."""
    hash32 = keccak256(b"high s")
    signature = KEY.sign(hash32)
    twin = signature[:32] + (_ORDER - int.from_bytes(signature[32:64], "big")).to_bytes(32, "big") + bytes((signature[64] ^ 1,))
    assert recover(hash32, twin) == KEY.node_id
    assert not verify(KEY.node_id, hash32, twin)


@pytest.mark.parametrize(
    "signature",
    [
        pytest.param(b"", id="empty"),
        pytest.param(bytes(64), id="64 bytes"),
        pytest.param(bytes(66), id="66 bytes"),
        pytest.param(bytes(65), id="zeros"),
        pytest.param(b"\xff" * 64 + b"\x00", id="r and s above the order"),
        pytest.param(bytes(31) + b"\x05" + bytes(31) + b"\x01" + b"\x00", id="r is the x of no point"),
        pytest.param(bytes(31) + b"\x01" + bytes(31) + b"\x01" + b"\x04", id="v of 4"),
        pytest.param(bytes(31) + b"\x01" + bytes(31) + b"\x01" + b"\x1b", id="v of 27"),
    ],
)
def test_nonsense_is_refused(signature: bytes) -> None:
    with pytest.raises(BadSignature):
        recover(bytes(32), signature)
    assert not verify(KEY.node_id, bytes(32), signature)


def test_hashes_of_another_length_are_refused() -> None:
    signature = KEY.sign(bytes(32))
    with pytest.raises(BadSignature, match="32-byte hash"):
        recover(bytes(31), signature)
    assert not verify(KEY.node_id, bytes(33), signature)
    with pytest.raises(ValueError, match="32-byte hash"):
        KEY.sign(bytes(31))


@pytest.mark.parametrize(
    "public_key", [pytest.param(b"", id="empty"), pytest.param(bytes(64), id="not on the curve"), pytest.param(bytes(63), id="short")]
)
def test_a_key_that_is_none_verifies_nothing(public_key: bytes) -> None:
    assert not verify(public_key, bytes(32), KEY.sign(bytes(32)))


def test_pem_comes_back() -> None:
    key = KeyPair.generate()
    pem = key.to_pem()
    assert pem.startswith("-----BEGIN PRIVATE KEY-----")
    assert KeyPair.from_pem(pem).node_id == KeyPair.from_pem(pem.encode()).node_id == key.node_id


def test_sec1_pem_is_read() -> None:
    pem = ec.derive_private_key(7, ec.SECP256K1()).private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    assert KeyPair.from_pem(pem).node_id == KEY.node_id


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, password: bytes = b"") -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password) if password else NoEncryption())


@pytest.mark.parametrize(
    "pem",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"no PEM at all", id="text"),
        pytest.param(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", id="garbage inside"),
        pytest.param(_pem(ec.generate_private_key(ec.SECP256R1())), id="another curve"),
        pytest.param(_pem(rsa.generate_private_key(65537, 2048)), id="RSA"),
        pytest.param(_pem(ec.generate_private_key(ec.SECP256K1()), b"secret"), id="encrypted"),
    ],
)
def test_unusable_pem_says_what_to_do(pem: bytes) -> None:
    with pytest.raises(KeyFormatError) as caught:
        KeyPair.from_pem(pem)
    assert "conf/node.pem" in caught.value.hint


@pytest.mark.parametrize("secret", [bytes(32), b"\xff" * 32, bytes(31), _ORDER.to_bytes(32, "big")])
def test_impossible_secrets_are_refused(secret: bytes) -> None:
    with pytest.raises(KeyFormatError):
        KeyPair.from_secret(secret)


def test_the_secret_is_not_shown() -> None:
    assert repr(KEY) == f"KeyPair(address=0x{KEY.address.hex()})"


def test_threads_do_not_share_buffers() -> None:
    """Cffi releases the GIL inside libsecp256k1, so a shared output buffer would mix keys up."""
    keys = [KeyPair.from_secret(bytes(31) + bytes((number,))) for number in range(1, 5)]
    wrong: list[int] = []

    def recover_often(key: KeyPair) -> None:
        for round_ in range(200):
            hash32 = keccak256(key.address + bytes((round_,)))
            if recover(hash32, key.sign(hash32)) != key.node_id or not verify(key.node_id, hash32, key.sign(hash32)):
                wrong.append(round_)

    threads = [threading.Thread(target=recover_often, args=(key,)) for key in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not any(thread.is_alive() for thread in threads)
    assert not wrong
