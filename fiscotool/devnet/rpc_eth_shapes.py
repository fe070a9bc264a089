"""Blocks, transactions and receipts as the Ethereum JSON-RPC of a 3.x node shows them.

Peculiar, and recorded: a block's hash is the FISCO header hash, its parent that of the FISCO header; timestamps are in seconds; a native
transaction has type 0x0, chain id 0x0 and "0x" before the text of its nonce; v is the bare recovery id; miner, from, to and contract
addresses are in EIP-55 spelling, addresses of getLogs are not; `size` counts the bytes of roots, extraData and, when whole transactions
are asked for, of their texts and byte strings, and nothing else.

Sources: spec 3.x 2.6; recordings rpc/read_methods_with_blocks.jsonl.xz; bcos-rpc web3jsonrpc/model/*.
"""

from __future__ import annotations

from typing import Any, Final

from fiscotool.devnet.rpc_promise import Steps
from fiscotool.devnet.rpc_view import ChainView, ShownBlock, ShownTx
from fiscotool.ledger.crypto import address_of, keccak256
from fiscotool.ledger.eth_payload import EIP2930, EthereumPayload, parse
from fiscotool.ledger.receipt3 import LogEntry, Receipt
from fiscotool.ledger.rpc_objects import checksum_address
from fiscotool.ledger.tx3 import TYPE_WEB3, Transaction

__all__ = ["block_steps", "logs_bloom", "receipt_object", "transaction_object"]

_BLOOM_BYTES: Final = 256
_ZERO_WORD: Final = f"0x{bytes(32).hex()}"
_NO_UNCLES: Final = "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347"
_ADDRESS_BYTES: Final = 20
_ADDRESS_DIGITS: Final = 40
_TYPED_END: Final = 0x80


def _quantity(text: str) -> str:
    """A stored amount, hex or decimal text or empty, as a quantity."""
    try:
        return hex(int(text, 16 if text.startswith("0x") else 10)) if text else "0x0"
    except ValueError:
        return "0x0"


def _number_of(data: bytes) -> str:
    return hex(int.from_bytes(data, "big"))


def _address_or_null(text: str) -> str | None:
    """An address as a transaction or receipt stores it; a path of a system contract stays as it is."""
    bare = text.removeprefix("0x")
    if not bare:
        return None
    return checksum_address(bare) if len(bare) == _ADDRESS_DIGITS else f"0x{bare}"


def logs_bloom(logs: tuple[LogEntry, ...], bloom: int = 0) -> int:
    """Ethereum's bloom filter over addresses and topics, as a 2048-bit number, added to `bloom` (Yellow Paper, 4.3.1)."""
    for log in logs:
        for item in (bytes.fromhex(log.address.removeprefix("0x")), *log.topics):
            digest = keccak256(item)
            for index in (0, 2, 4):
                bloom |= 1 << (int.from_bytes(digest[index : index + 2], "big") & 0x7FF)
    return bloom


def _bloom_text(bloom: int) -> str:
    return f"0x{bloom.to_bytes(_BLOOM_BYTES, 'big').hex()}"


def transaction_object(shown: ShownTx, block_hash: bytes) -> dict[str, Any]:
    """A transaction on chain."""
    tx, data = shown.tx, shown.tx.data
    result: dict[str, Any] = {
        "blockHash": f"0x{block_hash.hex()}",
        "blockNumber": hex(shown.number),
        "from": checksum_address(shown.sender.hex()),
        "gas": hex(data.gas_limit),
        "gasPrice": _quantity(data.gas_price),
        "hash": f"0x{shown.tx_hash.hex()}",
        "input": f"0x{data.input.hex()}",
        "r": _number_of(tx.signature[:32]),
        "s": _number_of(tx.signature[32:64]),
        "to": _address_or_null(data.to),
        "transactionIndex": hex(shown.position),
        "v": _number_of(tx.signature[64:65]),
    }
    if tx.tx_type == TYPE_WEB3:
        return result | _ethereum_members(parse(tx.extra_transaction_bytes))
    return result | {
        "chainId": "0x0",
        "maxFeePerGas": _quantity(data.max_fee_per_gas),
        "maxPriorityFeePerGas": _quantity(data.max_priority_fee_per_gas),
        "nonce": f"0x{data.nonce}",
        "type": "0x0",
        "value": _quantity(data.value),
    }


def _ethereum_members(payload: EthereumPayload) -> dict[str, Any]:
    members: dict[str, Any] = {
        "chainId": hex(payload.chain_id or 0),
        "nonce": hex(payload.nonce),
        "type": hex(payload.eth_type),
        "value": hex(payload.value),
    }
    if payload.eth_type >= EIP2930:
        members["accessList"] = [
            {"address": f"0x{address.hex()}", "storageKeys": [f"0x{key.hex()}" for key in keys]} for address, keys in payload.access_list
        ]
    if payload.max_fee_per_gas is not None:
        members["maxFeePerGas"] = hex(payload.max_fee_per_gas)
        members["maxPriorityFeePerGas"] = hex(payload.max_priority_fee_per_gas or 0)
    return members


def receipt_object(shown: ShownTx, receipt: Receipt, block_hash: bytes) -> dict[str, Any]:
    """The receipt of a transaction on chain."""
    block_text, tx_text = f"0x{block_hash.hex()}", f"0x{shown.tx_hash.hex()}"
    first = shown.tx.extra_transaction_bytes[:1]
    return {
        "blockHash": block_text,
        "blockNumber": hex(receipt.block_number),
        "contractAddress": _address_or_null(receipt.contract_address),
        "cumulativeGasUsed": _quantity(receipt.cumulative_gas_used or receipt.gas_used),
        "effectiveGasPrice": _quantity(receipt.effective_gas_price),
        "from": checksum_address(shown.sender.hex()),
        "gasUsed": _quantity(receipt.gas_used),
        "logs": [
            {
                "address": checksum_address(log.address.removeprefix("0x")),
                "blockHash": block_text,
                "blockNumber": hex(receipt.block_number),
                "data": f"0x{log.data.hex()}",
                "logIndex": hex(receipt.log_index + index),
                "removed": False,
                "topics": [f"0x{topic.hex()}" for topic in log.topics],
                "transactionHash": tx_text,
                "transactionIndex": hex(shown.position),
            }
            for index, log in enumerate(receipt.logs)
        ],
        "logsBloom": _bloom_text(logs_bloom(receipt.logs)),
        "status": "0x1" if receipt.status == 0 else "0x0",
        "to": _address_or_null(shown.tx.data.to),
        "transactionHash": tx_text,
        "transactionIndex": hex(shown.position),
        "type": hex(first[0]) if first and first[0] < _TYPED_END else "0x0",
    }


def _root(root: bytes) -> str:
    return f"0x{root.hex():0>64}"


def _size_bytes(tx: Transaction) -> int:
    """What a whole transaction adds to its block's `size`."""
    data = tx.data
    texts = (data.nonce, data.to, data.abi, data.value, data.gas_price, data.max_fee_per_gas, data.max_priority_fee_per_gas, tx.extra_data)
    parts = (data.input, data.extension, tx.signature, tx.extra_transaction_bytes, tx.extra_transaction_hash)
    return sum(len(text.encode()) for text in texts) + sum(map(len, parts)) + _ADDRESS_BYTES


def block_steps(view: ChainView, block: ShownBlock, *, is_full: bool) -> Steps:
    """A block, made in slices: with hashes or with whole transactions."""
    header = block.header
    transactions: list[Any] = [f"0x{tx_hash.hex()}" for tx_hash in block.tx_hashes]
    size_bytes = len(header.txs_root) + len(header.state_root) + len(header.receipts_root) + len(header.extra_data)
    if is_full:
        transactions = []
        for shown in view.txs(block):
            transactions.append(transaction_object(shown, block.block_hash))
            size_bytes += _size_bytes(shown.tx)
            yield
    bloom = 0
    for tx_hash in block.tx_hashes:
        receipt = view.receipt(tx_hash)
        if receipt is not None and receipt.logs:
            bloom = logs_bloom(receipt.logs, bloom)
        yield
    is_genesis = header.number == 0
    miner = bytes(20) if is_genesis or header.sealer >= len(header.sealer_list) else address_of(header.sealer_list[header.sealer])
    return {
        "baseFeePerGas": "0x0",
        "blobGasUsed": "0x0",
        "difficulty": "0x0",
        "excessBlobGas": "0x0",
        "extraData": f"0x{header.extra_data.hex()}",
        "gasLimit": "0x1c9c380",
        "gasUsed": _quantity(header.gas_used),
        "hash": f"0x{block.block_hash.hex()}",
        "logsBloom": _bloom_text(bloom),
        "miner": checksum_address(miner.hex()),
        "mixHash": _ZERO_WORD,
        "nonce": "0x0000000000000000",
        "number": hex(header.number),
        "parentBeaconBlockRoot": _ZERO_WORD,
        "parentHash": _ZERO_WORD if is_genesis or not header.parents else f"0x{header.parents[0][1].hex()}",
        "receiptsRoot": _root(header.receipts_root),
        "sha3Uncles": _NO_UNCLES,
        "size": hex(size_bytes),
        "stateRoot": _root(header.state_root),
        "timestamp": hex(header.timestamp_ms // 1000),
        "totalDifficulty": "0x0",
        "transactions": transactions,
        "transactionsRoot": _root(header.txs_root),
        "uncles": [],
        "withdrawals": [],
        "withdrawalsRoot": _ZERO_WORD,
    }
