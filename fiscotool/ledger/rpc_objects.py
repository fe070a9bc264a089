"""Transactions and receipts as the native JSON-RPC shows them, and back.

Conventions (recorded): hashes, addresses, input, output and signatures are hex with 0x; the nonce is the hex of its text's bytes, without
0x; gasUsed is decimal text; `to` is as sent; addresses are lower case but checksumContractAddress, which is EIP-55 or empty.

Sources: spec 3.x 2.4; recordings rpc/*.jsonl.xz, blocks_full_node0.jsonl.xz; bcos-rpc jsonrpc/JsonRpcImpl_2_0.cpp `toJsonResp`.
"""

from __future__ import annotations

from typing import Any, Final

from fiscotool.ledger import rpc_json
from fiscotool.ledger.crypto import keccak256
from fiscotool.ledger.errors import LedgerFormatError
from fiscotool.ledger.receipt3 import Receipt
from fiscotool.ledger.tx3 import TYPE_WEB3, Transaction, TransactionData

_UPPER_FROM: Final = "8"


def checksum_address(address_hex40: str) -> str:
    """EIP-55 spelling, with 0x, of 40 hex digits; empty for an empty address."""
    if not address_hex40:
        return ""
    digits = address_hex40.lower()
    digest = keccak256(digits.encode()).hex()
    return "0x" + "".join(digit.upper() if mark >= _UPPER_FROM else digit for digit, mark in zip(digits, digest, strict=False))


def _decimal(quantity: str) -> str:
    """A hex quantity as stored in a Web3 transaction, in decimal as RPC shows it."""
    try:
        return str(int(quantity, 16)) if quantity else ""
    except ValueError:
        return quantity


def transaction_to_rpc(tx: Transaction, tx_hash: bytes, sender: bytes) -> dict[str, Any]:
    """The object of getTransaction, also an element of a full block's `transactions`."""
    data = tx.data
    shown: dict[str, Any] = {
        "abi": data.abi,
        "blockLimit": data.block_limit,
        "chainID": data.chain_id,
        "extraData": tx.extra_data,
        "from": f"0x{sender.hex()}",
        "groupID": data.group_id,
        "hash": f"0x{tx_hash.hex()}",
        "importTime": tx.import_time_ms,
        "input": f"0x{data.input.hex()}",
        "nonce": data.nonce.encode().hex(),
        "signature": f"0x{tx.signature.hex()}",
        "to": data.to,
        "version": data.version,
    }
    if tx.tx_type == TYPE_WEB3:
        shown |= {
            "value": _decimal(data.value),
            "gasPrice": _decimal(data.gas_price),
            "gasLimit": data.gas_limit,
            "maxFeePerGas": _decimal(data.max_fee_per_gas),
            "maxPriorityFeePerGas": _decimal(data.max_priority_fee_per_gas),
        }
    elif data.version >= 1:
        shown |= {
            "value": data.value,
            "gasPrice": data.gas_price,
            "gasLimit": data.gas_limit,
            "maxFeePerGas": data.max_fee_per_gas,
            "maxPriorityFeePerGas": data.max_priority_fee_per_gas,
        }
        if data.version > 1:
            shown["extension"] = list(data.extension)
    return shown


def _extension(obj: dict[str, Any]) -> bytes:
    values = rpc_json.array(obj, "extension") if "extension" in obj else []
    try:
        return bytes(values)
    except (TypeError, ValueError) as problem:
        raise LedgerFormatError("'extension' is not a list of bytes") from problem


def transaction_from_rpc(obj: dict[str, Any]) -> Transaction:
    """The transaction of type BCOS in an RPC object; `from` becomes its `sender`, `hash` its `data_hash`, both still only claims.

    Raises LedgerFormatError, also for a transaction of type Web3: RPC does not show the payload its hash is made of.
    """
    version = rpc_json.integer(obj, "version", 32)
    if version == 0 and "gasLimit" in obj:
        raise LedgerFormatError(
            "this is a Web3 transaction: RPC does not show the payload its sender signed",
            hint="its hash and sender can be checked with eth_getTransactionByHash only",
        )
    try:
        nonce = rpc_json.data(obj, "nonce").decode()
    except UnicodeDecodeError as problem:
        raise LedgerFormatError("'nonce' is not the hex of a UTF-8 text") from problem
    data = TransactionData(
        version=version,
        chain_id=rpc_json.text(obj, "chainID"),
        group_id=rpc_json.text(obj, "groupID"),
        block_limit=rpc_json.integer(obj, "blockLimit"),
        nonce=nonce,
        to=rpc_json.text(obj, "to"),
        input=rpc_json.data(obj, "input"),
        abi=rpc_json.text(obj, "abi", default=""),
        value=rpc_json.text(obj, "value", default=""),
        gas_price=rpc_json.text(obj, "gasPrice", default=""),
        gas_limit=rpc_json.integer(obj, "gasLimit") if "gasLimit" in obj else 0,
        max_fee_per_gas=rpc_json.text(obj, "maxFeePerGas", default=""),
        max_priority_fee_per_gas=rpc_json.text(obj, "maxPriorityFeePerGas", default=""),
        extension=_extension(obj),
    )
    return Transaction(
        data,
        data_hash=rpc_json.data(obj, "hash"),
        signature=rpc_json.data(obj, "signature"),
        import_time_ms=rpc_json.integer(obj, "importTime"),
        sender=rpc_json.data(obj, "from"),
        extra_data=rpc_json.text(obj, "extraData", default=""),
    )


def receipt_to_rpc(receipt: Receipt, receipt_hash: bytes, tx: Transaction, tx_hash: bytes, sender: bytes) -> dict[str, Any]:
    """The object of getTransactionReceipt without its proof members.

    sendTransaction answers the same with `hash` "0x" when the status is not 0; getTransactionReceipt adds `transactionProof`: null.
    """
    address = receipt.contract_address
    shown: dict[str, Any] = {
        "blockNumber": receipt.block_number,
        "checksumContractAddress": checksum_address(address),
        "contractAddress": f"0x{address}" if address else "",
        "extraData": tx.extra_data,
        "from": f"0x{sender.hex()}",
        "gasUsed": receipt.gas_used,
        "hash": f"0x{receipt_hash.hex()}",
        "input": f"0x{tx.data.input.hex()}",
        "logEntries": [
            {"address": log.address, "data": f"0x{log.data.hex()}", "topics": [f"0x{topic.hex()}" for topic in log.topics]}
            for log in receipt.logs
        ],
        "message": receipt.message,
        "output": f"0x{receipt.output.hex()}",
        "status": receipt.status,
        "to": tx.data.to,
        "transactionHash": f"0x{tx_hash.hex()}",
        "version": receipt.version,
    }
    if receipt.version >= 1:
        shown["effectiveGasPrice"] = receipt.effective_gas_price
    return shown
