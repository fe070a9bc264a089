"""RPC objects: what recordings show is tested beside each format; here the rest and what a foreign server may put there."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from fiscotool.ledger import eth
from fiscotool.ledger.errors import LedgerFormatError
from fiscotool.ledger.receipt3 import Receipt, hash_receipt, receipt_from_rpc
from fiscotool.ledger.rpc_objects import checksum_address, receipt_to_rpc, transaction_from_rpc, transaction_to_rpc
from fiscotool.ledger.tx3 import Transaction, TransactionData, hash_transaction_data, sign_transaction, transaction_hash
from tests.ledger.samples import KEY, receipts, transaction_datas

_TX = sign_transaction(TransactionData(2, "chain0", "group0", 9, "5", "", b"\x60", "", "0x1", "0x2", 3, "0x4", "0x5", b"\x01\xff"), KEY)
_SHOWN = transaction_to_rpc(_TX, _TX.data_hash, KEY.address)


# EIP-55's own examples.
@pytest.mark.parametrize(
    "address",
    [
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ],
)
def test_checksum_address(address: str) -> None:
    assert checksum_address(address[2:].lower()) == checksum_address(address[2:]) == address


def test_no_address_has_no_checksum() -> None:
    assert checksum_address("") == ""


def test_version_2_shows_fees_and_extension_as_bytes() -> None:
    assert (_SHOWN["value"], _SHOWN["gasLimit"], _SHOWN["maxPriorityFeePerGas"], _SHOWN["extension"]) == ("0x1", 3, "0x5", [1, 255])


@given(data=transaction_datas)
def test_transactions_come_back_with_their_hash(data: TransactionData) -> None:
    tx = sign_transaction(data, KEY)
    back = transaction_from_rpc(transaction_to_rpc(tx, tx.data_hash, KEY.address)) if data.version else None
    if back is not None:
        assert hash_transaction_data(back.data) == back.data_hash == tx.data_hash
        assert back.sender == KEY.address


@given(receipt=receipts)
def test_receipts_come_back_with_their_hash(receipt: Receipt) -> None:
    """Up to the 0x that RPC adds before the contract address and may find there already."""
    if receipt.contract_address.startswith("0x") or any(log.address.startswith("0x") for log in receipt.logs):
        return
    back = receipt_from_rpc(receipt_to_rpc(receipt, hash_receipt(receipt), _TX, _TX.data_hash, KEY.address))
    assert hash_receipt(back) == hash_receipt(receipt)


def test_web3_transactions_show_decimal_amounts_and_cannot_be_read_back() -> None:
    raw = bytes.fromhex(
        "f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025a028ef61340bd939bc2195fe537567866003e1a15d"
        "3c71ff63e1590620aa636276a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83"
    )
    tx = eth.wrap_ethereum(raw)
    shown = transaction_to_rpc(tx, transaction_hash(tx), b"\x11" * 20)
    assert (shown["value"], shown["gasPrice"], shown["gasLimit"]) == (str(10**18), str(20 * 10**9), 21_000)
    with pytest.raises(LedgerFormatError, match="Web3 transaction") as caught:
        transaction_from_rpc(shown)
    assert "eth_getTransactionByHash" in caught.value.hint


@pytest.mark.parametrize("name", [name for name in _SHOWN if name not in {"from", "hash"}])
@pytest.mark.parametrize("value", [None, 1.5, [], {}, True, -(2**70), "0xzz", [1.5], [256], ["x"], "\ud800"], ids=repr)
def test_a_member_of_another_type_is_a_format_error_or_a_transaction(name: str, value: Any) -> None:
    try:
        tx = transaction_from_rpc(_SHOWN | {name: value})
    except LedgerFormatError:
        return
    assert isinstance(tx, Transaction)
    hash_transaction_data(tx.data)


_RECEIPT_SHOWN = receipt_to_rpc(Receipt(1, "44", "ab" * 20, 0, b"\x01", (), 7, "0x1"), bytes(32), _TX, _TX.data_hash, KEY.address)


@pytest.mark.parametrize(
    "name", ["version", "gasUsed", "contractAddress", "status", "output", "logEntries", "blockNumber", "effectiveGasPrice"]
)
@pytest.mark.parametrize("value", [None, 1.5, [1], {}, True, -(2**70), "0xzz", [{}], [{"address": 1}], "\ud800"], ids=repr)
def test_a_member_of_another_type_is_a_format_error_or_a_receipt(name: str, value: Any) -> None:
    try:
        receipt = receipt_from_rpc(_RECEIPT_SHOWN | {name: value})
    except LedgerFormatError:
        return
    hash_receipt(receipt)


@pytest.mark.parametrize("value", [None, 1, "text", [], True])
def test_what_is_no_object_is_a_format_error(value: Any) -> None:
    for read in (transaction_from_rpc, receipt_from_rpc):
        with pytest.raises(LedgerFormatError):
            read(value)
