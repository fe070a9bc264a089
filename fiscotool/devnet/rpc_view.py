"""The node's chain as both RPC ports look at it: blocks, transactions with their senders, receipts, Merkle proofs.

Rule. The sender a client wrote into a transaction is not believed; it is recovered from the signature (50 µs) and remembered.

Genesis has two hashes on a real node: getBlockHashByNumber and the parent of block 1 name another one than the header hashes to
(recorded). `header_hash` is always that of the header; `LedgerReader.genesis_hash` is the one block 1 refers to.

Sources: spec 3.x 2.3, 3.2-3.4; bcos-crypto merkle/Merkle.h (width 2, for the layout of a proof).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from fiscotool.devnet.contracts import LedgerReader, NodeFacade
from fiscotool.ledger.crypto import keccak256
from fiscotool.ledger.errors import BadSignature
from fiscotool.ledger.header3 import BlockHeader, hash_header
from fiscotool.ledger.receipt3 import Receipt, decode_receipt, hash_receipt
from fiscotool.ledger.tx3 import Transaction, decode_transaction, sender_of

__all__ = ["ChainView", "ShownBlock", "ShownTx", "merkle_proof"]

_SENDERS_MAX: Final = 20_000
_COUNT_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class ShownTx:
    """A transaction with what RPC shows beside it. `number` and `position` say where on chain it is."""

    tx: Transaction
    tx_hash: bytes
    sender: bytes
    number: int
    position: int


@dataclass(frozen=True, slots=True)
class ShownBlock:
    """A block's header with its hash, and the hashes of its transactions in order (none where only the header was asked for)."""

    header: BlockHeader
    block_hash: bytes
    tx_hashes: tuple[bytes, ...]


class ChainView:
    """Reads through the facade; keeps nothing but senders it has recovered."""

    def __init__(self, facade: NodeFacade) -> None:
        self.facade = facade
        self._senders: dict[bytes, bytes] = {}

    @property
    def ledger(self) -> LedgerReader:
        """Durable data."""
        return self.facade.ledger

    def header(self, number: int) -> ShownBlock | None:
        """The header of block `number`, or None when there is no such block yet."""
        header = self.ledger.header(number) if 0 <= number <= self.ledger.height else None
        return None if header is None else ShownBlock(header, hash_header(header), ())

    def block(self, number: int) -> ShownBlock | None:
        """Block `number`, or None when there is none yet."""
        found = self.header(number)
        return None if found is None else replace(found, tx_hashes=tuple(self.ledger.block_tx_hashes(number)))

    def number_of(self, block_hash: bytes) -> int | None:
        """Height of a block by either of its hashes."""
        number = self.ledger.number_of(block_hash)
        if number is None and block_hash == hash_header(self.ledger.header(0)):
            return 0
        return number

    def sender(self, tx: Transaction, tx_hash: bytes) -> bytes:
        """Who signed. A transaction on chain has a valid signature; if the disk says otherwise, nobody."""
        sender = self._senders.get(tx_hash)
        if sender is None:
            try:
                sender = sender_of(tx)
            except BadSignature:
                sender = bytes(20)
            self.remember_sender(tx_hash, sender)
        return sender

    def remember_sender(self, tx_hash: bytes, sender: bytes) -> None:
        """The pool has recovered this sender already."""
        senders = self._senders
        if len(senders) >= _SENDERS_MAX:
            for oldest in list(senders)[: _SENDERS_MAX // 4]:
                del senders[oldest]
        senders[tx_hash] = sender

    def tx(self, tx_hash: bytes) -> ShownTx | None:
        """A transaction on chain, or None."""
        location = self.ledger.tx_location(tx_hash)
        raw = self.ledger.tx(tx_hash) if location is not None else None
        if raw is None or location is None:
            return None
        tx = decode_transaction(raw)
        return ShownTx(tx, tx_hash, self.sender(tx, tx_hash), *location)

    def txs(self, block: ShownBlock) -> Iterator[ShownTx]:
        """The transactions of a block, in order."""
        number = block.header.number
        for position, (raw, tx_hash) in enumerate(zip(self.ledger.block_txs(number), block.tx_hashes, strict=True)):
            tx = decode_transaction(raw)
            yield ShownTx(tx, tx_hash, self.sender(tx, tx_hash), number, position)

    def receipt(self, tx_hash: bytes) -> Receipt | None:
        """The receipt of a transaction on chain, or None."""
        raw = self.ledger.receipt(tx_hash)
        return None if raw is None else decode_receipt(raw)

    def tx_proof(self, shown: ShownTx) -> list[str]:
        """The proof that the transaction is under its block's txsRoot, as RPC shows it."""
        return merkle_proof(self.ledger.block_tx_hashes(shown.number), shown.position)

    def receipt_proof(self, shown: ShownTx) -> list[str]:
        """The same for its receipt under receiptsRoot."""
        receipts = [self.receipt(tx_hash) for tx_hash in self.ledger.block_tx_hashes(shown.number)]
        return merkle_proof([hash_receipt(receipt) for receipt in receipts if receipt is not None], shown.position)


def merkle_proof(leaves: Sequence[bytes], position: int) -> list[str]:
    """Hex texts, without 0x: for each level a 4-byte count and then so many hashes, one of which is the one being proved.

    A verifier hashes each group together, which gives the hash to be found in the next group and, at last, the root. A block of one
    transaction has just its leaf as proof (recorded).
    """
    level = list(leaves)
    if len(level) <= 1:
        return [leaf.hex() for leaf in level]
    proof = []
    while len(level) > 1:
        start = position - position % 2
        group = level[start : start + 2]
        proof.append(len(group).to_bytes(_COUNT_BYTES, "big").hex())
        proof.extend(one.hex() for one in group)
        level = [keccak256(b"".join(level[index : index + 2])) for index in range(0, len(level), 2)]
        position = start // 2
    return proof
