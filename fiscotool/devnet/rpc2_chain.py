"""Blocks, transactions, receipts, proofs and calls, as the 2.x JSON-RPC answers them. Parameters are of the right JSON type already.

Rule 1. A number is decimal or 0x-hex; an empty text and "0x" are 0 (recorded). What is none is -32603 with the node's word for it.
Rule 2. A hash that is malformed names nothing, as an unknown one.
Rule 3. The sender of a transaction is recovered from its signature, and remembered.

The embedded chain has no contract code: getCode answers 0x, as a real node does for an account without code.

Sources: spec 2.x 2.1, 3.1 to 3.3; recordings v2/rpc; Rpc.cpp, libdevcore CommonJS.h `jsToInt`.
"""

from __future__ import annotations

import base64
import re
import zlib
from typing import Any, Final

from fiscotool.devnet.caches import BoundedCache
from fiscotool.devnet.contracts import LedgerReader, NodeFacade2
from fiscotool.devnet.rpc2_envelope import Fault2
from fiscotool.devnet.rpc2_shapes import batch_receipt_object, placed_transaction, receipt_object
from fiscotool.devnet.rpc_envelope import to_json
from fiscotool.devnet.rpc_promise import Steps
from fiscotool.ledger.crypto import keccak256
from fiscotool.ledger.errors import BadSignature, LedgerFormatError
from fiscotool.ledger.header2 import BlockHeader2, hash_header2, header2_to_rpc
from fiscotool.ledger.merkle2 import merkle_steps2
from fiscotool.ledger.receipt2 import decode_receipt2
from fiscotool.ledger.tx2 import Transaction2, decode_transaction2, sender_of2, transaction2_to_rpc

__all__ = ["Chain2", "bytes_of", "number_of", "readable_transaction"]

_NUMBER: Final = re.compile(r"0[xX]([0-9a-fA-F]{0,64})|([0-9]{0,80})")
_HASH_DIGITS: Final = 64
_INT64_END: Final = 1 << 63
_SENDERS_MAX: Final = 20_000

Flag = bool
"""A flag of a request, which has its parameters by position."""


def number_of(text: str) -> int:
    """Rule 1. Raises Fault2(-32603)."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise Fault2.internal(f"[dev::tag_comment*] = can't convert {text[:200]} to int")
    number = int(match[1], 16) if match[1] else int(match[2] or "0")
    if number >= _INT64_END:
        raise Fault2.internal("std::exception::what: bad lexical cast: source type value could not be interpreted as target")
    return number


def bytes_of(text: str) -> bytes:
    """Hex data; an empty text is no data. Raises Fault2(-32603)."""
    try:
        return bytes.fromhex(text[2:] if text[:2] in {"0x", "0X"} else text)
    except ValueError:
        raise Fault2.internal(
            f"std::exception::what: Cannot intepret '{text[:200]}' as bytes; must be 0x-prefixed hex or decimal."
        ) from None


def hash_of(text: str) -> bytes | None:
    """The 32 bytes of a hash, None for what is none (Rule 2)."""
    digits = text.removeprefix("0x")
    try:
        return bytes.fromhex(digits) if len(digits) == _HASH_DIGITS else None
    except ValueError:
        return None


class Chain2:
    """Reads of the chain."""

    def __init__(self, facade: NodeFacade2) -> None:
        self.facade = facade
        self._senders: BoundedCache[bytes, bytes] = BoundedCache(_SENDERS_MAX)

    @property
    def ledger(self) -> LedgerReader:
        """Durable data."""
        return self.facade.ledger

    # Blocks.

    def _number(self, text: str) -> int:
        number = number_of(text)
        if number > self.ledger.height:
            raise Fault2(-40004, "BlockNumber does not exist")
        return number

    def _number_by_hash(self, text: str) -> int:
        block_hash = hash_of(text)
        number = None if block_hash is None else self.ledger.number_of(block_hash)
        if number is None:
            raise Fault2(-40003, "BlockHash does not exist")
        return number

    def _header(self, number: int) -> BlockHeader2:
        header: BlockHeader2 | None = self.ledger.header(number)
        if header is None:
            raise Fault2(-40004, "BlockNumber does not exist")  # A node that claims more than it has.
        return header

    def _told(self, number: int, *, with_signatures: bool, in_block: bool) -> tuple[dict[str, Any], bytes]:
        header = self._header(number)
        block_hash = hash_header2(header)
        told = header2_to_rpc(header, block_hash, in_block=in_block)
        if not with_signatures:
            del told["signatureList"]
        return told, block_hash

    def _block(self, number: int, with_transactions: Flag) -> Any:
        told, block_hash = self._told(number, with_signatures=with_transactions, in_block=True)
        if with_transactions:
            return self._with_transactions(told, block_hash, number)
        told["transactions"] = [f"0x{tx_hash.hex()}" for tx_hash in self.ledger.block_tx_hashes(number)]
        return told

    def _with_transactions(self, told: dict[str, Any], block_hash: bytes, number: int) -> Steps:
        told["transactions"] = transactions = []
        rows = zip(self.ledger.block_txs(number), self.ledger.block_tx_hashes(number), strict=True)
        for position, (raw, tx_hash) in enumerate(rows):
            tx = decode_transaction2(raw)
            transactions.append(placed_transaction(tx, self._sender(tx, tx_hash), tx_hash, block_hash, number, position))
            yield
        return told

    def block(self, text: str, with_transactions: Flag) -> Any:
        """What getBlockByNumber answers."""
        return self._block(self._number(text), with_transactions)

    def block_by_hash(self, text: str, with_transactions: Flag) -> Any:
        """What getBlockByHash answers."""
        return self._block(self._number_by_hash(text), with_transactions)

    def header(self, text: str, with_signatures: Flag) -> Any:
        """What getBlockHeaderByNumber answers."""
        return self._told(self._number(text), with_signatures=with_signatures, in_block=False)[0]

    def header_by_hash(self, text: str, with_signatures: Flag) -> Any:
        """What getBlockHeaderByHash answers."""
        return self._told(self._number_by_hash(text), with_signatures=with_signatures, in_block=False)[0]

    def block_hash(self, text: str) -> str:
        """What getBlockHashByNumber answers."""
        return f"0x{hash_header2(self._header(self._number(text))).hex()}"

    # Transactions and receipts.

    def _sender(self, tx: Transaction2, tx_hash: bytes) -> bytes:
        sender = self._senders.get(tx_hash)
        if sender is None:
            try:
                sender = sender_of2(tx)
            except BadSignature:
                sender = bytes(20)  # On chain every signature is valid; if the disk says otherwise, nobody signed.
            self._senders.put(tx_hash, sender)
        return sender

    def _find(self, text: str) -> tuple[bytes, int, int] | None:
        tx_hash = hash_of(text)
        location = None if tx_hash is None else self.ledger.tx_location(tx_hash)
        return None if tx_hash is None or location is None else (tx_hash, *location)

    def _transaction(self, tx_hash: bytes, number: int, position: int) -> dict[str, Any]:
        tx = decode_transaction2(self.ledger.block_txs(number)[position])
        return placed_transaction(tx, self._sender(tx, tx_hash), tx_hash, hash_header2(self._header(number)), number, position)

    def _receipt(self, tx_hash: bytes, number: int, position: int) -> dict[str, Any]:
        tx = decode_transaction2(self.ledger.block_txs(number)[position])
        receipt = decode_receipt2(self.ledger.receipt(tx_hash) or b"")
        block_hash = hash_header2(self._header(number))
        return receipt_object(receipt, tx, self._sender(tx, tx_hash), tx_hash, block_hash, number, position)

    def transaction(self, text: str) -> Any:
        """getTransactionByHash: null for an unknown one, and for one that waits in the pool."""
        found = self._find(text)
        return None if found is None else self._transaction(*found)

    def receipt(self, text: str) -> Any:
        """getTransactionReceipt: null until the transaction is in a block."""
        found = self._find(text)
        return None if found is None else self._receipt(*found)

    def transaction_at(self, text: str, index: str) -> Any:
        """What getTransactionByBlockNumberAndIndex answers."""
        return self._at(self._number(text), index)

    def transaction_at_hash(self, text: str, index: str) -> Any:
        """What getTransactionByBlockHashAndIndex answers."""
        return self._at(self._number_by_hash(text), index)

    def _at(self, number: int, index: str) -> Any:
        hashes, position = self.ledger.block_tx_hashes(number), number_of(index)
        if position >= len(hashes):
            raise Fault2(-40005, "TransactionIndex is out of range")
        return self._transaction(hashes[position], number, position)

    def transaction_with_proof(self, text: str) -> Any:
        """What getTransactionByHashWithProof answers."""
        found = self._find(text)
        if found is None:
            return None
        steps = merkle_steps2(self.ledger.block_tx_hashes(found[1]), found[2])
        return {"transaction": self._transaction(*found), "txProof": _steps(steps)}

    def receipt_with_proof(self, text: str) -> Any:
        """What getTransactionReceiptByHashWithProof answers."""
        found = self._find(text)
        if found is None:
            return None
        receipts = [self.ledger.receipt(tx_hash) or b"" for tx_hash in self.ledger.block_tx_hashes(found[1])]
        steps = merkle_steps2([keccak256(raw) for raw in receipts], found[2])
        return {"transactionReceipt": self._receipt(*found), "receiptProof": _steps(steps)}

    def pending(self) -> list[dict[str, Any]]:
        """What getPendingTransactions answers."""
        return [transaction2_to_rpc(decode_transaction2(raw)) for raw in self.facade.pending()]

    # Batches of receipts.

    def receipts_of(self, text: str, begin: str, count: str, compress: Flag) -> Any:
        """What getBatchReceiptsByBlockNumberAndRange answers."""
        return self._batch(self._number(text), begin, count, compress)

    def receipts_of_hash(self, text: str, begin: str, count: str, compress: Flag) -> Any:
        """What getBatchReceiptsByBlockHashAndRange answers."""
        return self._batch(self._number_by_hash(text), begin, count, compress)

    def _batch(self, number: int, begin: str, count: str, compress: Flag) -> Any:
        header, hashes = self._header(number), self.ledger.block_tx_hashes(number)
        first = number_of(begin)
        if first >= len(hashes):
            raise Fault2(-40099, f"the range begins at {first}, and the block has {len(hashes)} receipts")
        last = len(hashes) if count == "-1" else min(len(hashes), first + number_of(count))
        raws, receipts = self.ledger.block_txs(number), []
        for position in range(first, last):
            tx_hash, tx = hashes[position], decode_transaction2(raws[position])
            receipt = decode_receipt2(self.ledger.receipt(tx_hash) or b"")
            receipts.append(batch_receipt_object(receipt, tx, self._sender(tx, tx_hash), tx_hash, position))
        told = {
            "blockInfo": {
                "blockHash": f"0x{hash_header2(header).hex()}",
                "blockNumber": hex(number),
                "receiptRoot": f"0x{header.receipts_root.hex()}",
                "receiptsCount": hex(len(hashes)),
            },
            "transactionReceipts": receipts,
        }
        return base64.b64encode(zlib.compress(to_json(told))).decode() if compress else told

    # Calls.

    def code(self, address: str) -> str:
        """What getCode answers."""
        bytes_of(address)
        return "0x"

    def call(self, request: dict[str, Any]) -> dict[str, str]:
        """The call: executed on this node at its head."""
        if not request.get("from"):
            raise Fault2(-40006, "Call needs a 'from' field")
        fields = {name: request.get(name) or "" for name in ("from", "to", "data", "code")}
        if not all(isinstance(value, str) for value in fields.values()):
            raise Fault2(-32602)
        data = bytes_of(fields["data"] or fields["code"])
        to = bytes_of(fields["to"])
        status, output, _ = self.facade.executor.call(bytes_of(fields["from"]), f"0x{to.hex()}" if any(to) else "", data)
        return {"currentBlockNumber": hex(self.ledger.height), "output": f"0x{output.hex()}", "status": hex(status)}


def _steps(steps: list[tuple[list[bytes], list[bytes]]]) -> list[dict[str, list[str]]]:
    return [{"left": [one.hex() for one in left], "right": [one.hex() for one in right]} for left, right in steps]


def readable_transaction(raw: bytes) -> Transaction2:
    """A transaction of sendRawTransaction. Raises Fault2(-32603) with the node's words where it is none."""
    try:
        return decode_transaction2(raw)
    except LedgerFormatError as problem:
        what = f"{problem.message}\n[dev::eth::tag_field*] = invalid rc2 transaction format, RLP: {raw.hex()[:400]}"
        raise Fault2.internal(f"[dev::tag_comment*] = {what}") from problem
