"""The form of 2.x blocks (form.BlockForm): RLP, every sealer weighs 1, receipts that name the state after the block.

Rule 1. A proposal names its parent and the root of its transactions; state, receipts and gas are unset. Executing it changes the hash:
        the digest of a proposal is never the hash of its block (spec 2.x 1.2).
Rule 2. The gas of a header is 0, whatever its receipts used (recorded: every header); so is its gas limit.
Rule 3. Stored and sent, a header is the RLP list of its fields and its signature list; a proposal the list of header and transaction
        hashes; a block the list of header, signature list and transactions.

Deviations: the database root is the state root, as on a real chain with storage state; what it is made of is ours (state.py).

Sources: spec 2.x 1.2, 3.3; libethcore `BlockHeader.cpp`, `Block.cpp`; recordings v2/blocks_full_node0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from fiscotool.devnet import calls2, genesis2, pooled2
from fiscotool.devnet.contracts import ChainConfig, PooledTx
from fiscotool.devnet.outcome import Outcome, failed
from fiscotool.devnet.receipts2 import ReceiptWriter2
from fiscotool.devnet.settings import GenesisSettings
from fiscotool.devnet.state import BlockState, StateChanges
from fiscotool.ledger import header2
from fiscotool.ledger.errors import LedgerFormatError
from fiscotool.ledger.header2 import BlockHeader2, decode_header2, header2_items
from fiscotool.ledger.merkle2 import merkle_root2
from fiscotool.ledger.rlp_fields import bytes_item, items_of, number_item, take_list
from fiscotool.ledger.rlp_items import Item, encode, integer_item

__all__ = ["FORM2", "Form2"]

_NO_HASH: Final = bytes(32)
_NO_BLOOM: Final = bytes(256)
_HASH_BYTES: Final = 32
_SIGNATURE_BYTES: Final = 65
_INDEX_BITS: Final = 16
_NONCE_CHECK_FAIL: Final = 15


class Form2:
    """See form.BlockForm, which documents every method."""

    generation = 2
    used_nonce: Outcome = failed(_NONCE_CHECK_FAIL, "NonceCheckFail")

    def genesis_header(self, settings: GenesisSettings) -> BlockHeader2:
        """Block 0."""
        return genesis2.block_zero2(settings)

    def initial_state(self, settings: GenesisSettings) -> StateChanges:
        """The state after it."""
        return genesis2.initial_state2(settings)

    def proposed_header(
        self, number: int, sealer: int, config: ChainConfig, timestamp_ms: int, tx_hashes: Sequence[bytes], parent_hash: bytes
    ) -> BlockHeader2:
        """Rule 1."""
        return BlockHeader2(
            parent_hash=parent_hash,
            state_root=_NO_HASH,
            txs_root=merkle_root2(tx_hashes),
            receipts_root=_NO_HASH,
            db_hash=_NO_HASH,
            logs_bloom=_NO_BLOOM,
            number=number,
            gas_limit=0,
            gas_used=0,
            timestamp_ms=timestamp_ms,
            extra_data=(),
            sealer=sealer,
            sealer_list=tuple(one.node_id for one in config.sealers),
        )

    def on_parent(self, header: BlockHeader2, parent_hash: bytes) -> BlockHeader2:
        """It names it already, or does not follow this block. Raises LedgerFormatError."""
        if header.parent_hash != parent_hash:
            raise LedgerFormatError(f"proposal {header.number} follows block {header.parent_hash.hex()[:8]}…, not {parent_hash.hex()[:8]}…")
        return header

    def executed_header(
        self, header: BlockHeader2, tx_hashes: Sequence[bytes], receipt_hashes: Sequence[bytes], state_root: bytes, gas: int
    ) -> BlockHeader2:
        """With roots (Rule 2)."""
        del tx_hashes, gas
        return replace(header, receipts_root=merkle_root2(receipt_hashes), state_root=state_root, db_hash=state_root, signatures=())

    def before_execution(self, header: BlockHeader2) -> BlockHeader2:
        """Without what execution fills in."""
        return replace(header, receipts_root=_NO_HASH, state_root=_NO_HASH, db_hash=_NO_HASH, signatures=())

    def as_proposed(self, header: BlockHeader2) -> BlockHeader2:
        """The same: a proposal names its parent."""
        return self.before_execution(header)

    def proposal_objection(self, header: BlockHeader2, tx_hashes: Sequence[bytes]) -> str:
        """Anything set that execution fills in, or that is not used; another root than that of the transactions."""
        if header != replace(self.as_proposed(header), logs_bloom=_NO_BLOOM, gas_limit=0, gas_used=0, extra_data=()):
            return "its header has what only an executed block has"
        return "" if header.txs_root == merkle_root2(tx_hashes) else "its root is not that of its transactions"

    def block_objection(self, header: BlockHeader2, tx_hashes: Sequence[bytes]) -> str:
        """Nothing more: the root says which they are."""
        del header, tx_hashes
        return ""

    def hash_header(self, header: BlockHeader2) -> bytes:
        """Keccak of its 13 fields."""
        return header2.hash_header2(header)

    def with_signatures(self, header: BlockHeader2, signatures: tuple[tuple[int, bytes], ...]) -> BlockHeader2:
        """The header with this list."""
        return header2.with_signatures2(header, signatures)

    def encode_header(self, header: BlockHeader2) -> bytes:
        """Rule 3."""
        return encode([header2_items(header), _signature_items(header)])

    def decode_header(self, raw: bytes) -> BlockHeader2:
        """The inverse."""
        fields, signatures = take_list(raw, "a stored header of 2.x", (2,))
        return _header(fields, signatures)

    def encode_proposal(self, header: BlockHeader2, txs: Sequence[PooledTx]) -> bytes:
        """Rule 3."""
        return encode([header2_items(header), [tx.tx_hash for tx in txs]])

    def decode_proposal(self, raw: bytes) -> tuple[BlockHeader2, tuple[bytes, ...]]:
        """The inverse."""
        fields, hashes = take_list(raw, "a proposal of 2.x", (2,))
        header = decode_header2(encode(items_of(fields, "header")))
        return header, tuple(bytes_item(item, "a transaction hash", _HASH_BYTES) for item in items_of(hashes, "transaction hashes"))

    def twin(self, data: bytes) -> tuple[bytes, bytes]:
        """With another timestamp."""
        header, tx_hashes = self.decode_proposal(data)
        later = replace(header, timestamp_ms=header.timestamp_ms + 1)
        return self.hash_header(later), encode([header2_items(later), list(tx_hashes)])

    def encode_block(self, header: BlockHeader2, transactions: Sequence[bytes]) -> bytes:
        """Rule 3."""
        return encode([header2_items(header), _signature_items(header), list(transactions)])

    def decode_block(self, raw: bytes) -> tuple[BlockHeader2, tuple[bytes, ...]]:
        """The inverse."""
        fields, signatures, transactions = take_list(raw, "a block of 2.x", (3,))
        return _header(fields, signatures), tuple(bytes_item(item, "a transaction") for item in items_of(transactions, "transactions"))

    def pooled(self, raw: bytes) -> PooledTx:
        """A verified transaction."""
        return pooled2.pooled_tx2(raw)

    def run(self, sender: bytes, to: str, value: int, data: bytes, state: BlockState) -> Outcome:
        """System contracts, and what calls of nothing give."""
        return calls2.run2(sender, to, value, data, state)

    def receipts(self, number: int) -> ReceiptWriter2:
        """Receipts in RLP."""
        del number
        return ReceiptWriter2()


def _signature_items(header: BlockHeader2) -> list[Item]:
    return [[integer_item(index), signature] for index, signature in header.signatures]


def _header(fields: Item, signatures: Item) -> BlockHeader2:
    header = decode_header2(encode(items_of(fields, "header")))
    return header2.with_signatures2(header, tuple(_signature(item) for item in items_of(signatures, "signature list")))


def _signature(item: Item) -> tuple[int, bytes]:
    parts = items_of(item, "a signature")
    if len(parts) != 2:  # noqa: PLR2004 - index and signature
        raise LedgerFormatError(f"an entry of a signature list has 2 parts, not {len(parts)}")
    return number_item(parts[0], "index", _INDEX_BITS), bytes_item(parts[1], "signature", _SIGNATURE_BYTES)


FORM2: Final = Form2()
