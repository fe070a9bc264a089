"""Blocks of FISCO BCOS 3.x: a header with transactions or what stands for them, and receipts.

A proposal carries header and metadata (hash, to, source, attribute of each transaction); a block sent to a synchronising peer carries
header with signatures and the transactions; receipts are added where they are wanted. Transactions and receipts stay the Tars bytes
they came in: whoever needs their fields decodes them.

Sources: spec 3.x 1.3, 3.4; bcos-tars-protocol tars/Block.tars, tars/TransactionMetaData.tars.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fiscotool.ledger.fields import as_struct, bytes_of, int_of, list_of, struct_of, text_of
from fiscotool.ledger.header3 import BlockHeader, header_fields, header_from
from fiscotool.ledger.tars import put_bytes, put_int, put_list, put_text, read, struct

_TRANSACTIONS: Final = 4
_RECEIPTS: Final = 5
_RAW_LISTS: Final = frozenset({_TRANSACTIONS, _RECEIPTS})

# bcos-framework protocol/Block.h, enum BlockType.
COMPLETE_BLOCK: Final = 1
WITH_TRANSACTION_HASHES: Final = 2


@dataclass(frozen=True, slots=True)
class TransactionMetaData:
    """What a proposal says of a transaction: its 32-byte hash, its `to` text, its source (empty here) and its attribute bits."""

    hash: bytes
    to: str = ""
    source: str = ""
    attribute: int = 0


@dataclass(frozen=True, slots=True)
class Block:
    """A block. `transactions` and `receipts` are Tars bytes in block order; a proposal has metadata instead."""

    header: BlockHeader
    metadata: tuple[TransactionMetaData, ...] = ()
    transactions: tuple[bytes, ...] = ()
    receipts: tuple[bytes, ...] = ()
    version: int = 0
    block_type: int = 0


def encode_block(block: Block) -> bytes:
    """Tars bytes of Block."""
    return b"".join(
        (
            put_int(1, block.version),
            put_int(2, block.block_type),
            struct(3, header_fields(block.header)),
            put_list(_TRANSACTIONS, (struct(0, raw) for raw in block.transactions)),
            put_list(_RECEIPTS, (struct(0, raw) for raw in block.receipts)),
            put_list(6, map(_metadata_field, block.metadata)),
        )
    )


def _metadata_field(one: TransactionMetaData) -> bytes:
    return struct(0, put_bytes(1, one.hash) + put_text(2, one.to) + put_text(3, one.source) + put_int(4, one.attribute))


def decode_block(raw: bytes) -> Block:
    """The block in Tars bytes. Raises LedgerFormatError. Its transactions are well-formed Tars, but not yet known to be transactions."""
    fields = read(raw, raw_lists=_RAW_LISTS)
    metadata = [as_struct(item, "TransactionMetaData") for item in list_of(fields, 6, "Block.transactionsMetaData")]
    return Block(
        header=header_from(struct_of(fields, 3, "Block.blockHeader")),
        metadata=tuple(
            TransactionMetaData(
                bytes_of(one, 1, "TransactionMetaData.hash"),
                text_of(one, 2, "TransactionMetaData.to"),
                text_of(one, 3, "TransactionMetaData.source"),
                int_of(one, 4, "TransactionMetaData.attribute", 32),
            )
            for one in metadata
        ),
        transactions=tuple(list_of(fields, _TRANSACTIONS, "Block.transactions")),
        receipts=tuple(list_of(fields, _RECEIPTS, "Block.receipts")),
        version=int_of(fields, 1, "Block.version", 32),
        block_type=int_of(fields, 2, "Block.type", 32),
    )
