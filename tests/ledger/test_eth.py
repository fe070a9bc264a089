"""Raw Ethereum transactions: what eth-account signs is decoded to the same hash, sender and fields, and nothing else passes."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import rlp
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st

from fiscotool.ledger import eth
from fiscotool.ledger.crypto import BadSignature, keccak256
from fiscotool.ledger.errors import LedgerFormatError
from fiscotool.ledger.tx3 import decode_transaction, decode_verified, encode_transaction, sender_of, transaction_hash

_ACCOUNT = Account.from_key(bytes(31) + b"\x07")
_SENDER = bytes.fromhex(_ACCOUNT.address[2:])
_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141

_to = st.one_of(st.just(b""), st.binary(min_size=20, max_size=20))
_common = {
    "nonce": st.integers(0, 2**64 - 2),
    "gas": st.integers(21_000, 2**63 - 1),
    "to": _to,
    "value": st.integers(0, 2**256 - 1),
    "data": st.binary(max_size=300),
}
_price = st.integers(0, 2**128)
_access = st.lists(
    st.fixed_dictionaries(
        {
            "address": st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex()),
            "storageKeys": st.lists(st.binary(min_size=32, max_size=32).map(lambda raw: "0x" + raw.hex()), max_size=3),
        }
    ),
    max_size=2,
)
_chain = st.integers(1, 2**62)
old = st.fixed_dictionaries({**_common, "gasPrice": _price})
eip155 = st.fixed_dictionaries({**_common, "gasPrice": _price, "chainId": _chain})
eip2930 = st.fixed_dictionaries({**_common, "gasPrice": _price, "chainId": _chain, "accessList": _access, "type": st.just(1)})
eip1559 = st.fixed_dictionaries(
    {**_common, "maxFeePerGas": _price, "maxPriorityFeePerGas": _price, "chainId": _chain, "accessList": _access, "type": st.just(2)}
)
requests = st.one_of(old, eip155, eip2930, eip1559)


def _sign(request: dict[str, Any]) -> tuple[bytes, bytes]:
    """(raw, hash) by eth-account."""
    signed = _ACCOUNT.sign_transaction(request)
    return bytes(signed.raw_transaction), bytes(signed.hash)


@given(request=requests)
@settings(max_examples=60, deadline=None)
def test_decoded_as_signed(request: dict[str, Any]) -> None:
    raw, tx_hash = _sign(request)
    tx = eth.decode_ethereum(raw)
    assert (tx.hash, tx.sender) == (tx_hash, _SENDER)
    assert tx.eth_type == request.get("type", 0)
    assert tx.chain_id == request.get("chainId")
    told = {"nonce": tx.nonce, "gas": tx.gas_limit, "value": tx.value, "data": tx.data, "to": tx.to}
    assert told == {name: request[name] for name in told}
    assert tx.gas_price == request.get("gasPrice", 0)
    assert tx.max_fee_per_gas == request.get("maxFeePerGas")
    assert tx.max_priority_fee_per_gas == request.get("maxPriorityFeePerGas")
    assert [
        {"address": "0x" + address.hex(), "storageKeys": ["0x" + key.hex() for key in keys]} for address, keys in tx.access_list
    ] == request.get("accessList", [])


@given(request=requests)
@settings(max_examples=60, deadline=None)
def test_wrapped_unwrapped_and_verified(request: dict[str, Any]) -> None:
    """The way of a Web3 transaction through a chain: wrapped, gossiped as Tars, verified by a node that trusts nobody, shown again."""
    raw, tx_hash = _sign(request)
    wrapped = eth.wrap_ethereum(raw, import_time_ms=5)
    encoded = encode_transaction(wrapped)
    tx, verified_hash, sender = decode_verified(encoded)
    assert (tx, verified_hash, sender) == (wrapped, tx_hash, _SENDER)
    assert transaction_hash(wrapped) == tx_hash
    assert sender_of(decode_transaction(encoded)) == _SENDER
    assert eth.unwrap_ethereum(tx) == raw


def test_eip_155_example() -> None:
    """The example transaction of EIP-155 itself."""
    raw = bytes.fromhex(
        "f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025a028ef61340bd939bc2195fe537567866003e1a15d"
        "3c71ff63e1590620aa636276a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83"
    )
    tx = eth.decode_ethereum(raw)
    assert keccak256(tx.payload).hex() == "daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53"
    assert tx.sender.hex() == "9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f"
    assert (tx.chain_id, tx.nonce, tx.gas_price, tx.value) == (1, 9, 20 * 10**9, 10**18)


def test_the_mirror_is_what_a_node_keeps() -> None:
    raw, _ = _sign({"nonce": 0, "gasPrice": 1, "gas": 21_000, "to": b"\x22" * 20, "value": 16, "data": b"ab", "chainId": 20200})
    data = eth.wrap_ethereum(raw).data
    assert (data.nonce, data.chain_id, data.group_id, data.to) == ("0x0", "20200", "", "0x" + "22" * 20)
    assert (data.value, data.gas_price, data.gas_limit, data.input, data.version) == ("0x10", "0x1", 21_000, b"ab", 0)


_RAW, _ = _sign({"nonce": 3, "gasPrice": 1, "gas": 21_000, "to": b"\x22" * 20, "value": 16, "data": b"ab", "chainId": 20200})


# A node that believed the mirror would move money its sender never gave away.
@pytest.mark.parametrize(
    "change", [{"value": "0x11"}, {"to": "0x" + "33" * 20}, {"input": b"ac"}, {"nonce": "0x4"}, {"gas_price": "0x2"}], ids=str
)
def test_a_mirror_that_lies_is_refused(change: dict[str, Any]) -> None:
    wrapped = eth.wrap_ethereum(_RAW)
    lying = dataclasses.replace(wrapped, data=dataclasses.replace(wrapped.data, **change))
    with pytest.raises(LedgerFormatError, match="not those in the payload"):
        decode_verified(encode_transaction(lying))


def test_claimed_hashes_are_not_believed() -> None:
    wrapped = eth.wrap_ethereum(_RAW)
    _, tx_hash, _ = decode_verified(encode_transaction(dataclasses.replace(wrapped, extra_transaction_hash=b"\x01" * 32, data_hash=b"")))
    assert tx_hash == wrapped.extra_transaction_hash
    with pytest.raises(LedgerFormatError, match="not the hash of the Ethereum payload"):
        decode_verified(encode_transaction(dataclasses.replace(wrapped, data_hash=bytes(32))))


def test_a_bcos_transaction_has_no_ethereum_form() -> None:
    with pytest.raises(LedgerFormatError, match="no Ethereum form"):
        eth.unwrap_ethereum(dataclasses.replace(eth.wrap_ethereum(_RAW), tx_type=0))


@given(bit=st.integers(0, 8 * len(_RAW) - 1))
@settings(max_examples=300)
def test_a_flipped_bit_gives_another_sender_or_is_refused(bit: int) -> None:
    changed = bytearray(_RAW)
    changed[bit // 8] ^= 1 << bit % 8
    try:
        tx = eth.decode_ethereum(bytes(changed))
    except (LedgerFormatError, BadSignature):
        return
    assert tx.sender != _SENDER
    assert tx.hash == keccak256(bytes(changed))


def _resigned(**changes: Any) -> bytes:
    """The EIP-155 sample with some items of the list replaced by position."""
    items: list[Any] = rlp.decode(_RAW)
    for name, value in changes.items():
        items[int(name[1:])] = value
    encoded: bytes = rlp.encode(items)
    return encoded


@pytest.mark.parametrize(
    ("raw", "error", "says"),
    [
        pytest.param(b"", LedgerFormatError, "no bytes", id="empty"),
        pytest.param(b"\x03" + _RAW, LedgerFormatError, "0x03 is not supported", id="EIP-4844"),
        pytest.param(b"\x00" + _RAW, LedgerFormatError, "0x00 is not supported", id="type 0 written out"),
        pytest.param(b"\x7f" + _RAW, LedgerFormatError, "0x7f is not supported", id="unknown type"),
        pytest.param(b"\x80", LedgerFormatError, "0x80 is not supported", id="a string"),
        pytest.param(_RAW + b"\x00", LedgerFormatError, "behind the list", id="a byte too many"),
        pytest.param(_RAW[:-1], LedgerFormatError, "in the middle", id="a byte too few"),
        pytest.param(rlp.encode(rlp.decode(_RAW)[:6]), LedgerFormatError, "has 9 fields", id="unsigned"),
        pytest.param(b"\x02" + rlp.encode(rlp.decode(_RAW)), LedgerFormatError, "has 12 fields", id="legacy fields as EIP-1559"),
        pytest.param(_resigned(_0=b"\x00\x03"), LedgerFormatError, "the nonce is not a canonical", id="nonce with a leading zero"),
        pytest.param(_resigned(_0=b"\x01" * 9), LedgerFormatError, "the nonce is too large", id="nonce of 9 bytes"),
        pytest.param(_resigned(_2=b"\xff" * 8), LedgerFormatError, "the gas limit is too large", id="gas above int64"),
        pytest.param(_resigned(_3=b"\x22" * 19), LedgerFormatError, "neither empty nor 20 bytes", id="to of 19 bytes"),
        pytest.param(_resigned(_4=b"\xff" * 33), LedgerFormatError, "the value is too large", id="value of 33 bytes"),
        pytest.param(_resigned(_5=[b"x"]), LedgerFormatError, "the data is a list", id="data is a list"),
        pytest.param(_resigned(_6=b"\x1d"), BadSignature, "v 29", id="v of 29"),
        pytest.param(_resigned(_6=b""), BadSignature, "v 0", id="v of 0"),
        pytest.param(_resigned(_7=b""), BadSignature, "no public key|below the order", id="r of 0"),
        pytest.param(_resigned(_8=(_ORDER - 5).to_bytes(32, "big")), BadSignature, "upper half", id="high s"),
    ],
)
def test_what_is_refused(raw: bytes, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        eth.decode_ethereum(raw)


@pytest.mark.parametrize(
    "access",
    [
        pytest.param(b"x", id="bytes"),
        pytest.param([b"x"], id="entry is bytes"),
        pytest.param([[b"\x33" * 20]], id="entry without keys"),
        pytest.param([[b"\x33" * 19, []]], id="address of 19 bytes"),
        pytest.param([[b"\x33" * 20, [b"\x44" * 31]]], id="key of 31 bytes"),
        pytest.param([[b"\x33" * 20, b"\x44" * 32]], id="keys are bytes"),
    ],
)
def test_malformed_access_lists_are_refused(access: Any) -> None:
    raw = b"\x01" + rlp.encode([1, 0, 0, 21_000, b"", 0, b"", access, 0, 1, 1])
    with pytest.raises(LedgerFormatError, match="access list"):
        eth.decode_ethereum(raw)


def test_y_parity_of_typed_transactions() -> None:
    raw = b"\x02" + rlp.encode([1, 0, 0, 0, 21_000, b"", 0, b"", [], 27, 1, 1])
    with pytest.raises(BadSignature, match="y parity 27"):
        eth.decode_ethereum(raw)


def test_the_samples_are_of_the_types_they_claim() -> None:
    """eth-account must write the type byte, or the tests above compare legacy transactions only."""
    signed = _ACCOUNT.sign_transaction(
        {"nonce": 0, "gas": 21_000, "to": b"\x22" * 20, "value": 0, "data": b"", "chainId": 1, "maxFeePerGas": 1, "maxPriorityFeePerGas": 1}
    )
    assert signed.raw_transaction[0] == 2
    assert eth.decode_ethereum(bytes(signed.raw_transaction)).eth_type == eth.EIP1559
