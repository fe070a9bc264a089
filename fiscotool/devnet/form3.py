"""The form of 3.x blocks (form.BlockForm): Tars, weights, one receipt a transaction at 21000 gas.

Rule. A proposal names no parent: it may be proposed before the block it follows is executed.

Sources: spec 3.x 1.3, 3.3, 3.4; bcos-tars-protocol tars/*.tars.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from fiscotool.devnet import calls3, genesis, pooled
from fiscotool.devnet.contracts import ChainConfig, PooledTx
from fiscotool.devnet.outcome import NONCE_CHECK_FAIL, Outcome, failed
from fiscotool.devnet.receipts import ReceiptWriter
from fiscotool.devnet.settings import GenesisSettings
from fiscotool.devnet.state import BlockState, StateChanges
from fiscotool.ledger import header3
from fiscotool.ledger.block3 import COMPLETE_BLOCK, Block, TransactionMetaData, decode_block, encode_block
from fiscotool.ledger.header3 import BlockHeader
from fiscotool.ledger.merkle import merkle_root

__all__ = ["FORM3", "Form3"]


class Form3:
    """See form.BlockForm, which documents every method."""

    generation = 3
    used_nonce: Outcome = failed(NONCE_CHECK_FAIL, "NonceCheckFail")

    def genesis_header(self, settings: GenesisSettings) -> BlockHeader:
        """Block 0."""
        return genesis.block_zero(settings)

    def initial_state(self, settings: GenesisSettings) -> StateChanges:
        """The state after it."""
        return genesis.initial_state(settings)

    def proposed_header(
        self, number: int, sealer: int, config: ChainConfig, timestamp_ms: int, tx_hashes: Sequence[bytes], parent_hash: bytes
    ) -> BlockHeader:
        """No parents, roots, gas."""
        del tx_hashes, parent_hash
        return BlockHeader(
            version=config.block_version,
            parents=(),
            txs_root=b"",
            receipts_root=b"",
            state_root=b"",
            number=number,
            gas_used="",
            timestamp_ms=timestamp_ms,
            sealer=sealer,
            sealer_list=tuple(one.node_id for one in config.sealers),
            extra_data=b"",
            weights=tuple(one.weight for one in config.sealers),
        )

    def on_parent(self, header: BlockHeader, parent_hash: bytes) -> BlockHeader:
        """With its parent filled in."""
        return replace(header, parents=((header.number - 1, parent_hash),))

    def executed_header(
        self, header: BlockHeader, tx_hashes: Sequence[bytes], receipt_hashes: Sequence[bytes], state_root: bytes, gas: int
    ) -> BlockHeader:
        """With roots and gas."""
        return replace(
            header,
            txs_root=merkle_root(tx_hashes),
            receipts_root=merkle_root(receipt_hashes),
            state_root=state_root,
            gas_used=str(gas),
            signatures=(),
        )

    def before_execution(self, header: BlockHeader) -> BlockHeader:
        """Without roots, gas, signatures."""
        return replace(header, txs_root=b"", receipts_root=b"", state_root=b"", gas_used="", signatures=())

    def as_proposed(self, header: BlockHeader) -> BlockHeader:
        """And without parents."""
        return replace(self.before_execution(header), parents=())

    def proposal_objection(self, header: BlockHeader, tx_hashes: Sequence[bytes]) -> str:
        """What only an executed block has."""
        del tx_hashes
        if header.parents or header.txs_root or header.receipts_root or header.state_root or header.signatures:
            return "its header has what only an executed block has"
        # Nothing writes it here, and in it a header would say that it is signed otherwise (ledger.signatures).
        return "its header has extra data" if header.extra_data else ""

    def block_objection(self, header: BlockHeader, tx_hashes: Sequence[bytes]) -> str:
        """Nothing more: the root says which they are."""
        del header, tx_hashes
        return ""

    def hash_header(self, header: BlockHeader) -> bytes:
        """Keccak of its fields."""
        return header3.hash_header(header)

    def with_signatures(self, header: BlockHeader, signatures: tuple[tuple[int, bytes], ...]) -> BlockHeader:
        """The header with this list."""
        return header3.with_signatures(header, signatures)

    def encode_header(self, header: BlockHeader) -> bytes:
        """Tars, signatures included."""
        return header3.encode_header(header)

    def decode_header(self, raw: bytes) -> BlockHeader:
        """The inverse."""
        return header3.decode_header(raw)

    def encode_proposal(self, header: BlockHeader, txs: Sequence[PooledTx]) -> bytes:
        """A block with metadata instead of transactions."""
        return encode_block(Block(header, tuple(TransactionMetaData(tx.tx_hash, tx.to, "", tx.attribute) for tx in txs)))

    def decode_proposal(self, raw: bytes) -> tuple[BlockHeader, tuple[bytes, ...]]:
        """The inverse, as far as hashes go."""
        block = decode_block(raw)
        return block.header, tuple(one.hash for one in block.metadata)

    def twin(self, data: bytes) -> tuple[bytes, bytes]:
        """With another timestamp."""
        block = decode_block(data)
        header = replace(block.header, timestamp_ms=block.header.timestamp_ms + 1)
        return header3.hash_header(header), encode_block(replace(block, header=header))

    def encode_block(self, header: BlockHeader, transactions: Sequence[bytes]) -> bytes:
        """A complete block."""
        return encode_block(Block(header, transactions=tuple(transactions), block_type=COMPLETE_BLOCK))

    def decode_block(self, raw: bytes) -> tuple[BlockHeader, tuple[bytes, ...]]:
        """The inverse."""
        block = decode_block(raw)
        return block.header, block.transactions

    def pooled(self, raw: bytes) -> PooledTx:
        """A verified transaction."""
        return pooled.pooled_tx(raw)

    def run(self, sender: bytes, to: str, value: int, data: bytes, state: BlockState) -> Outcome:
        """Transfers and system contracts."""
        return calls3.run(sender, to, value, data, state)

    def receipts(self, number: int) -> ReceiptWriter:
        """Receipts in Tars."""
        return ReceiptWriter(number)


FORM3: Final = Form3()
