"""Block headers of FISCO BCOS 2.x and what they hash to.

Rule 1. The block hash is keccak of the RLP list of the 13 header fields in order; the signature list is not part of it.
Rule 2. Numbers are RLP integers: big-endian without leading zeros. Node ids are their 64 bytes; `extra_data` is a list of byte strings.
Rule 3. The hash of a proposal (Prepare) is that of the same header before execution, with state, receipts and db root unset: another
        one than the block's.
Rule 4. RPC tells `number` as an integer in a header and as hex in a block, everything else as hex; ids have no 0x. The genesis block
        has zero roots, no sealers, and its configuration as text in `extra_data`.

Weights do not exist in 2.x: every sealer weighs 1, and n - (n-1) div 3 signatures make a quorum.

Sources: spec 2.x 3.3; libethcore/BlockHeader.cpp `streamRLPFields`. Every recorded header hashes to its own hash this way.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from fiscotool.ledger import rpc_json
from fiscotool.ledger.crypto import keccak256
from fiscotool.ledger.rlp_fields import bytes_item, items_of, number_item, take_list
from fiscotool.ledger.rlp_items import Item, encode, integer_item, list_head

_FIELD_COUNT: Final = 13
_HASH_BYTES: Final = 32
_BLOOM_BYTES: Final = 256
_ID_BYTES: Final = 64
_HASH_HEAD, _BLOOM_HEAD = b"\xa0", b"\xb9\x01\x00"  # RLP heads of strings of these lengths
_USUAL_BYTES: Final = (*[_HASH_BYTES] * 5, _BLOOM_BYTES)
_U256_BITS: Final = 256
_ROOTS: Final = ("parentHash", "stateRoot", "transactionsRoot", "receiptsRoot", "dbHash")
_TOLD_CHARS: Final = [0, *[2 * _HASH_BYTES] * len(_ROOTS)]


@dataclass(frozen=True, slots=True)
class BlockHeader2:
    """A header. Hashes and roots are 32 bytes, `logs_bloom` 256; `sealer` is the leader's index in `sealer_list` (64-byte node ids).

    `signatures` are (index, 65 bytes r ‖ s ‖ v) of those who committed the block.
    """

    parent_hash: bytes
    state_root: bytes
    txs_root: bytes
    receipts_root: bytes
    db_hash: bytes
    logs_bloom: bytes
    number: int
    gas_limit: int
    gas_used: int
    timestamp_ms: int
    extra_data: tuple[bytes, ...]
    sealer: int
    sealer_list: tuple[bytes, ...]
    signatures: tuple[tuple[int, bytes], ...] = ()

    @property
    def weights(self) -> tuple[int, ...]:
        """One each."""
        return (1,) * len(self.sealer_list)

    @property
    def parents(self) -> tuple[tuple[int, bytes], ...]:
        """(number, hash) of the block before, none for the genesis block; as 3.x headers tell it."""
        return ((self.number - 1, self.parent_hash),) if self.number else ()


def header2_items(header: BlockHeader2) -> list[Item]:
    """The 13 fields as RLP items."""
    return [
        header.parent_hash,
        header.state_root,
        header.txs_root,
        header.receipts_root,
        header.db_hash,
        header.logs_bloom,
        integer_item(header.number),
        integer_item(header.gas_limit),
        integer_item(header.gas_used),
        integer_item(header.timestamp_ms),
        list(header.extra_data),
        integer_item(header.sealer),
        list(header.sealer_list),
    ]


@lru_cache(maxsize=256)
def _ids_item(sealer_list: tuple[bytes, ...]) -> bytes | None:
    """The list of node ids as RLP; None where it is not as usual."""
    return encode(list(sealer_list)) if {*map(len, sealer_list)} == {_ID_BYTES} else None


def encode_header2(header: BlockHeader2) -> bytes:
    """The RLP bytes the hash is made of."""
    roots = header.parent_hash, header.state_root, header.txs_root, header.receipts_root, header.db_hash
    ids = _ids_item(header.sealer_list)
    if ids is None or (*map(len, roots), len(header.logs_bloom)) != _USUAL_BYTES:
        return encode(header2_items(header))
    # The fields of every real header have these lengths, so their RLP heads are known: a third of the time.
    numbers = header.number, header.gas_limit, header.gas_used, header.timestamp_ms
    body = b"".join(
        (
            _HASH_HEAD,
            _HASH_HEAD.join(roots),
            _BLOOM_HEAD,
            header.logs_bloom,
            *[encode(integer_item(number)) for number in numbers],
            encode(list(header.extra_data)) if header.extra_data else b"\xc0",
            encode(integer_item(header.sealer)),
            ids,
        )
    )
    return list_head(len(body)) + body


def hash_header2(header: BlockHeader2) -> bytes:
    """The 32-byte block hash (Rule 1)."""
    return keccak256(encode_header2(header))


def decode_header2(raw: bytes) -> BlockHeader2:
    """The header in RLP bytes, without signatures. Raises LedgerFormatError."""
    items = take_list(raw, "a block header of 2.x", (_FIELD_COUNT,))
    parent_hash, state_root, txs_root, receipts_root, db_hash = (
        bytes_item(item, name, _HASH_BYTES) for item, name in zip(items[: len(_ROOTS)], _ROOTS, strict=True)
    )
    return BlockHeader2(
        parent_hash,
        state_root,
        txs_root,
        receipts_root,
        db_hash,
        logs_bloom=bytes_item(items[5], "logBloom", _BLOOM_BYTES),
        number=number_item(items[6], "number", 63),
        gas_limit=number_item(items[7], "gasLimit"),
        gas_used=number_item(items[8], "gasUsed"),
        timestamp_ms=number_item(items[9], "timestamp", 63),
        extra_data=tuple(bytes_item(item, "extraData") for item in items_of(items[10], "extraData")),
        sealer=number_item(items[11], "sealer"),
        sealer_list=tuple(bytes_item(item, "sealerList") for item in items_of(items[12], "sealerList")),
    )


def header2_from_rpc(obj: dict[str, Any]) -> BlockHeader2:
    """The header told by getBlockByNumber or getBlockHeaderByNumber (and …ByHash). A list of signatures that was not asked for is empty.

    Raises LedgerFormatError when a member is missing, of another type, or of another length than the field has.
    """
    try:
        return _usual_from_rpc(obj)
    except (AttributeError, KeyError, TypeError, ValueError):
        # Whatever is not as usual is looked at member by member, for the sake of the message.
        return _unusual_from_rpc(obj)


def _usual_from_rpc(obj: dict[str, Any]) -> BlockHeader2:
    """The same in a third of the time for an object as real nodes tell it: any doubt raises ValueError or whatever Python raises."""
    # Every root ends where the next one's 0x begins.
    told = "".join([obj[name] for name in _ROOTS]).split("0x")
    hashes = bytes.fromhex("".join(told))
    bloom = bytes.fromhex(obj["logsBloom"].removeprefix("0x"))
    ids = rpc_json.node_ids(obj, "sealerList")
    number = obj["number"]
    if [*map(len, told)] != _TOLD_CHARS or len(hashes) != len(_ROOTS) * _HASH_BYTES or len(bloom) != _BLOOM_BYTES:
        raise ValueError("unusual lengths")
    quantity = rpc_json.as_quantity
    return BlockHeader2(
        hashes[:32],
        hashes[32:64],
        hashes[64:96],
        hashes[96:128],
        hashes[128:],
        bloom,
        number if type(number) is int and 0 <= number < 1 << 63 else quantity(number, "number", 63),
        quantity(obj["gasLimit"], "gasLimit"),
        quantity(obj["gasUsed"], "gasUsed"),
        quantity(obj["timestamp"], "timestamp", 63),
        tuple([rpc_json.hex_bytes(item, "extraData") for item in obj["extraData"]]),
        quantity(obj["sealer"], "sealer"),
        ids,
        tuple([(quantity(one["index"], "index"), rpc_json.hex_bytes(one["signature"], "signature")) for one in obj["signatureList"]]),
    )


def _unusual_from_rpc(obj: dict[str, Any]) -> BlockHeader2:
    signatures = rpc_json.objects(obj, "signatureList") if "signatureList" in obj else []
    return BlockHeader2(
        parent_hash=rpc_json.data(obj, "parentHash", _HASH_BYTES),
        state_root=rpc_json.data(obj, "stateRoot", _HASH_BYTES),
        txs_root=rpc_json.data(obj, "transactionsRoot", _HASH_BYTES),
        receipts_root=rpc_json.data(obj, "receiptsRoot", _HASH_BYTES),
        db_hash=rpc_json.data(obj, "dbHash", _HASH_BYTES),
        logs_bloom=rpc_json.data(obj, "logsBloom", _BLOOM_BYTES),
        number=rpc_json.quantity(obj, "number", 63),
        gas_limit=rpc_json.quantity(obj, "gasLimit", _U256_BITS),
        gas_used=rpc_json.quantity(obj, "gasUsed", _U256_BITS),
        timestamp_ms=rpc_json.quantity(obj, "timestamp", 63),
        extra_data=tuple(rpc_json.hex_bytes(item, "extraData") for item in rpc_json.array(obj, "extraData")),
        sealer=rpc_json.quantity(obj, "sealer", _U256_BITS),
        sealer_list=rpc_json.node_ids(obj, "sealerList"),
        signatures=tuple((rpc_json.quantity(one, "index"), rpc_json.data(one, "signature")) for one in signatures),
    )


def header2_to_rpc(header: BlockHeader2, block_hash: bytes, *, in_block: bool = False) -> dict[str, Any]:
    """The object of getBlockHeaderByNumber with signatures; `in_block`: the members a whole block has, which adds `transactions`."""
    return {
        "dbHash": f"0x{header.db_hash.hex()}",
        "extraData": [f"0x{data.hex()}" for data in header.extra_data],
        "gasLimit": hex(header.gas_limit),
        "gasUsed": hex(header.gas_used),
        "hash": f"0x{block_hash.hex()}",
        "logsBloom": f"0x{header.logs_bloom.hex()}",
        "number": hex(header.number) if in_block else header.number,
        "parentHash": f"0x{header.parent_hash.hex()}",
        "receiptsRoot": f"0x{header.receipts_root.hex()}",
        "sealer": hex(header.sealer),
        "sealerList": [node_id.hex() for node_id in header.sealer_list],
        "signatureList": [{"index": hex(index), "signature": f"0x{signature.hex()}"} for index, signature in header.signatures],
        "stateRoot": f"0x{header.state_root.hex()}",
        "timestamp": hex(header.timestamp_ms),
        "transactionsRoot": f"0x{header.txs_root.hex()}",
    }


def with_signatures2(header: BlockHeader2, signatures: tuple[tuple[int, bytes], ...]) -> BlockHeader2:
    """The header with this signature list; its hash stays the same."""
    return replace(header, signatures=signatures)
