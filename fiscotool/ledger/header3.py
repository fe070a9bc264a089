"""Block headers of FISCO BCOS 3.x: fields, hash, Tars bytes, RPC object.

Rule 1. The block hash covers every field but the signature list, which is made over it; so a block has one hash however many signed it.
Rule 2. Before execution there is a header without parents, roots and gas; its hash is the proposal hash of PrePrepare, Prepare and Commit.
Rule 3. Header bytes are compared with nothing; only hashes are. Tars bytes of a header carry its signatures.
Rule 4. The genesis header has no roots and an empty gas text, and is hashed so; RPC shows zero roots and gas "0" for it (recorded:
        getBlockByNumber of block 0). `header_from_rpc` undoes that, so that every recorded header hashes to its own hash.
Rule 5. gasUsed is decimal text, in RPC as in the hash (recorded: a block of 20 deployments at 44 gas says "880").

Sources: spec 3.x 3.4; bcos-tars-protocol tars/Block.tars, impl/TarsHashable.h; bcos-rpc jsonrpc/JsonRpcImpl_2_0.cpp `toJsonResp`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from struct import Struct
from typing import Any

from fiscotool.ledger import rpc_json
from fiscotool.ledger.crypto import keccak256
from fiscotool.ledger.errors import LedgerFormatError
from fiscotool.ledger.fields import as_bytes, as_struct, bytes_of, int_of, list_of, struct_of, text_of
from fiscotool.ledger.tars import Fields, integer, put_bytes, put_int, put_list, put_text, read, simple_list, struct

_pack_int = Struct(">i").pack
_pack_long = Struct(">q").pack
_pack_tail = Struct(">qq").pack


@dataclass(frozen=True, slots=True)
class BlockHeader:
    """A block header. Roots and hashes are 32 bytes (empty before execution), node ids 64.

    `parents` are (number, hash); `gas_used` is decimal text; `sealer` the index of the proposer in `sealer_list`, which is sorted by id;
    `signatures` are (index, 65 bytes) over the block hash, in ascending order of index, and not hashed.
    """

    version: int
    parents: tuple[tuple[int, bytes], ...]
    txs_root: bytes
    receipts_root: bytes
    state_root: bytes
    number: int
    gas_used: str
    timestamp_ms: int
    sealer: int
    sealer_list: tuple[bytes, ...]
    extra_data: bytes
    weights: tuple[int, ...]
    signatures: tuple[tuple[int, bytes], ...] = ()


def hash_header(header: BlockHeader) -> bytes:
    """The block hash (TarsHashable.h); of a header before execution, the proposal hash."""
    parents = b"".join(_pack_long(number) + parent_hash for number, parent_hash in header.parents)
    return keccak256(
        b"".join(
            (
                _pack_int(header.version),
                parents,
                header.txs_root,
                header.receipts_root,
                header.state_root,
                _pack_long(header.number),
                header.gas_used.encode(),
                _pack_tail(header.timestamp_ms, header.sealer),
                *header.sealer_list,
                header.extra_data,
                *map(_pack_long, header.weights),
            )
        )
    )


def genesis_header(version: int, extra_data: bytes) -> BlockHeader:
    """The header of block 0 (Rule 4). `extra_data` is the rendered genesis configuration, `version` e.g. 0x03100000 for 3.16.0."""
    return BlockHeader(version, (), b"", b"", b"", 0, "", 0, 0, (), extra_data, ())


def with_signatures(header: BlockHeader, signatures: tuple[tuple[int, bytes], ...]) -> BlockHeader:
    """The header with this signature list; its hash stays the same."""
    return replace(header, signatures=signatures)


def header_fields(header: BlockHeader) -> bytes:
    """Tars fields of BlockHeader, to be nested in a Block or to stand alone."""
    data = b"".join(
        (
            put_int(2, header.version),
            put_list(3, (struct(0, put_int(1, number) + put_bytes(2, parent_hash)) for number, parent_hash in header.parents)),
            put_bytes(4, header.txs_root),
            put_bytes(5, header.receipts_root),
            put_bytes(6, header.state_root),
            put_int(7, header.number),
            put_text(8, header.gas_used),
            put_int(9, header.timestamp_ms),
            put_int(10, header.sealer),
            put_list(11, (simple_list(0, node_id) for node_id in header.sealer_list)),
            put_bytes(12, header.extra_data),
            put_list(13, (integer(0, weight) for weight in header.weights)),
        )
    )
    signatures = put_list(3, (struct(0, put_int(1, index) + put_bytes(2, signature)) for index, signature in header.signatures))
    return struct(1, data) + signatures


def encode_header(header: BlockHeader) -> bytes:
    """Tars bytes of BlockHeader, signatures included, dataHash left out."""
    return header_fields(header)


def decode_header(raw: bytes) -> BlockHeader:
    """The header in Tars bytes. Raises LedgerFormatError."""
    return header_from(read(raw))


def header_from(fields: Fields) -> BlockHeader:
    """The header of an already read Tars struct (as nested in a Block)."""
    if 1 not in fields:
        raise LedgerFormatError("BlockHeader without data")
    data = struct_of(fields, 1, "BlockHeader.data")
    parents = [as_struct(item, "ParentInfo") for item in list_of(data, 3, "BlockHeaderData.parentInfo")]
    signatures = [as_struct(item, "Signature") for item in list_of(fields, 3, "BlockHeader.signatureList")]
    weights = enumerate(list_of(data, 13, "BlockHeaderData.consensusWeights"))
    return BlockHeader(
        version=int_of(data, 2, "BlockHeaderData.version", 32),
        parents=tuple((int_of(parent, 1, "ParentInfo.blockNumber"), bytes_of(parent, 2, "ParentInfo.blockHash")) for parent in parents),
        txs_root=bytes_of(data, 4, "BlockHeaderData.txsRoot"),
        receipts_root=bytes_of(data, 5, "BlockHeaderData.receiptRoot"),
        state_root=bytes_of(data, 6, "BlockHeaderData.stateRoot"),
        number=int_of(data, 7, "BlockHeaderData.blockNumber"),
        gas_used=text_of(data, 8, "BlockHeaderData.gasUsed"),
        timestamp_ms=int_of(data, 9, "BlockHeaderData.timestamp"),
        sealer=int_of(data, 10, "BlockHeaderData.sealer"),
        sealer_list=tuple(as_bytes(item, "a node id") for item in list_of(data, 11, "BlockHeaderData.sealerList")),
        extra_data=bytes_of(data, 12, "BlockHeaderData.extraData"),
        weights=tuple(int_of({0: weight}, 0, f"weight {index}") for index, weight in weights),
        signatures=tuple((int_of(one, 1, "Signature.sealerIndex"), bytes_of(one, 2, "Signature.signature")) for one in signatures),
    )


def header_from_rpc(obj: dict[str, Any]) -> BlockHeader:
    """The header told by getBlockByNumber or getBlockByHash. Raises LedgerFormatError when a member is missing or of another type."""
    parents = rpc_json.objects(obj, "parentInfo")
    signatures = rpc_json.objects(obj, "signatureList")
    header = BlockHeader(
        version=rpc_json.integer(obj, "version", 32),
        parents=tuple((rpc_json.integer(parent, "blockNumber"), rpc_json.data(parent, "blockHash")) for parent in parents),
        txs_root=rpc_json.data(obj, "txsRoot"),
        receipts_root=rpc_json.data(obj, "receiptsRoot"),
        state_root=rpc_json.data(obj, "stateRoot"),
        number=rpc_json.integer(obj, "number"),
        gas_used=rpc_json.text(obj, "gasUsed"),
        timestamp_ms=rpc_json.integer(obj, "timestamp"),
        sealer=rpc_json.integer(obj, "sealer"),
        sealer_list=rpc_json.node_ids(obj, "sealerList"),
        extra_data=rpc_json.data(obj, "extraData"),
        weights=tuple(rpc_json.as_integer(item, "consensusWeights") for item in rpc_json.array(obj, "consensusWeights")),
        signatures=tuple((rpc_json.integer(one, "sealerIndex"), rpc_json.data(one, "signature")) for one in signatures),
    )
    if header.number == 0 and header.gas_used == "0" and not any(header.txs_root + header.receipts_root + header.state_root):
        return replace(header, gas_used="", txs_root=b"", receipts_root=b"", state_root=b"")
    return header


def _root(root: bytes) -> str:
    return f"0x{root.hex():0>64}"


def header_to_rpc(header: BlockHeader, block_hash: bytes) -> dict[str, Any]:
    """The object getBlockByNumber answers with onlyHeader; the full block has `transactions` besides."""
    return {
        "consensusWeights": list(header.weights),
        "extraData": f"0x{header.extra_data.hex()}",
        "gasUsed": header.gas_used or "0",
        "hash": f"0x{block_hash.hex()}",
        "number": header.number,
        "parentInfo": [{"blockHash": f"0x{parent_hash.hex()}", "blockNumber": number} for number, parent_hash in header.parents],
        "receiptsRoot": _root(header.receipts_root),
        "sealer": header.sealer,
        "sealerList": [f"0x{node_id.hex()}" for node_id in header.sealer_list],
        "signatureList": [{"sealerIndex": index, "signature": f"0x{signature.hex()}"} for index, signature in header.signatures],
        "stateRoot": _root(header.state_root),
        "timestamp": header.timestamp_ms,
        "txsRoot": _root(header.txs_root),
        "version": header.version,
    }
