"""From a block as a node told it to what the judge needs: its hash computed anew, its signatures verified.

Rule 1. The told object is kept whole in the recording; what is computed here can be computed again by whoever doubts it.
Rule 2. A block object with a member missing or of another type is still a block seen: its recomputed hash is empty, which the judge
        reports. Only an object without number and hash is nothing.
Rule 3. The filler block of a view change (spec 3.x 1.11) has no sealer list of its own; it is signed by the list before it.
Rule 4. Nodes tell the same block mostly in the same words: equal words are computed once.

Rule 5. A block of 2.x is read the same way: by its own formula, every sealer weighing 1.

Sources: spec 3.x 2.4, 3.4; spec 2.x 3.3; fiscotool.ledger.header3, header2, crypto.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any

import orjson

from fiscotool.consistency.observations import BlockSeen, SignatureSeen
from fiscotool.ledger.crypto import verify
from fiscotool.ledger.errors import LedgerFormatError
from fiscotool.ledger.header3 import hash_header, header_from_rpc
from fiscotool.ledger.signatures import CLASSIC_MARK, signed_hash
from fiscotool.observer.blocks2 import in_words_of_3x, is_told_by_2x, recomputed_hash2

_WORDS_BYTES = 12


def dump_json(value: Any, *, sort: bool = False) -> bytes:
    """`value` as JSON on one line, whatever a node told: also unpaired surrogates and integers of more than 64 bits."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS if sort else None)
    except TypeError:
        return json.dumps(value, sort_keys=sort).encode()


def words_of(told: dict[str, Any]) -> str:
    """A short name for exactly these words: equal for equal objects, whatever the order of their members."""
    return blake2b(dump_json(told, sort=True), digest_size=_WORDS_BYTES).hexdigest()


@dataclass(frozen=True, slots=True)
class ToldBlock:
    """One block as one node told it, before anything is computed. `words` is words_of(told)."""

    node: str
    seen_s: float
    line: int
    told: dict[str, Any]
    words: str


def _plain(value: Any) -> str:
    """Hex as observations want it: lower case, without 0x. "" for what is no text."""
    return value.lower().removeprefix("0x") if isinstance(value, str) else ""


def _number(value: Any, default: int = -1) -> int:
    return value if type(value) is int else default


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def is_block(told: Any) -> bool:
    """Whether this can be a block at all: an object with a height and a hash."""
    return isinstance(told, dict) and type(told.get("number")) is int and isinstance(told.get("hash"), str)


def are_of_classic(told_blocks: Sequence[ToldBlock]) -> bool:
    """Whether most nodes tell only blocks that say they are signed as `classic` does. A chain known by its addresses says no more."""
    marked: dict[str, bool] = {}
    for block in told_blocks:
        if _number(block.told.get("number")) > 0:
            is_marked = _plain(block.told.get("extraData")).startswith(CLASSIC_MARK.hex())
            marked[block.node] = is_marked and marked.get(block.node, True)
    return 2 * sum(marked.values()) > len(marked)


@dataclass(slots=True)
class BlockReader:
    """Computes hashes and verifies signatures, each distinct block once."""

    _known: dict[tuple[str, tuple[str, ...]], BlockSeen] = field(default_factory=dict)

    def read_all(self, told_blocks: Iterable[ToldBlock]) -> tuple[BlockSeen, ...]:
        """Every block as BlockSeen, in the order given."""
        blocks = list(told_blocks)
        lists = _sealer_lists(blocks)
        return tuple(self._read(block, lists) for block in blocks)

    def _read(self, block: ToldBlock, lists: dict[int, tuple[str, ...]]) -> BlockSeen:
        told = block.told
        own = tuple(_plain(node_id) for node_id in _items(told.get("sealerList")))
        signers = own or _list_before(lists, _number(told.get("number")))
        key = (block.words, signers)
        seen = self._known.get(key)
        if seen is None:
            seen = self._known[key] = _compute(block, own, signers)
        return replace(seen, node=block.node, seen_s=block.seen_s, line=block.line)


def _sealer_lists(blocks: Sequence[ToldBlock]) -> dict[int, tuple[str, ...]]:
    """The sealer list of every height that tells one (any node's words: they differ only where agreement is broken already)."""
    return {
        _number(block.told.get("number")): tuple(_plain(node_id) for node_id in _items(block.told["sealerList"]))
        for block in blocks
        if _items(block.told.get("sealerList"))
    }


def _list_before(lists: dict[int, tuple[str, ...]], number: int) -> tuple[str, ...]:
    earlier = [height for height in lists if height < number]
    return lists[max(earlier)] if earlier else ()


def _compute(block: ToldBlock, own: tuple[str, ...], signers: tuple[str, ...]) -> BlockSeen:
    told = in_words_of_3x(block.told) if is_told_by_2x(block.told) else block.told
    parents = [parent for parent in _items(told.get("parentInfo")) if isinstance(parent, dict)]
    transactions = told.get("transactions")
    block_hash = _plain(told.get("hash"))
    signed = _signed(told, block_hash)
    return BlockSeen(
        node=block.node,
        seen_s=block.seen_s,
        line=block.line,
        number=_number(told.get("number")),
        block_hash=block_hash,
        recomputed_hash=_recompute(block.told),
        parent_number=_number(parents[0].get("blockNumber")) if parents else None,
        parent_hash=_plain(parents[0].get("blockHash")) if parents else "",
        sealer=_number(told.get("sealer")),
        sealer_list=own,
        weights=tuple(_number(weight) for weight in _items(told.get("consensusWeights"))),
        signatures=tuple(_signature(entry, signed, signers) for entry in _items(told.get("signatureList"))),
        timestamp_ms=_number(told.get("timestamp")),
        tx_hashes=tuple(_plain(item.get("hash") if isinstance(item, dict) else item) for item in _items(transactions)),
        txs_root=_plain(told.get("txsRoot")),
        receipts_root=_plain(told.get("receiptsRoot")),
        state_root=_plain(told.get("stateRoot")),
        gas_used=told["gasUsed"] if isinstance(told.get("gasUsed"), str) else "",
        tx_hashes_known=isinstance(transactions, list),
    )


def _recompute(told: dict[str, Any]) -> str:
    if is_told_by_2x(told):
        return recomputed_hash2(told)
    try:
        return hash_header(header_from_rpc(told)).hex()
    except LedgerFormatError:
        return ""


def _signed(told: dict[str, Any], block_hash: str) -> str:
    """What the signatures of this block are over: its hash, but for a chain of `classic` (ledger.signatures)."""
    if not _plain(told.get("extraData")).startswith(CLASSIC_MARK.hex()):
        return block_hash
    try:
        return signed_hash(header_from_rpc(told), bytes.fromhex(block_hash)).hex()
    except (LedgerFormatError, ValueError):
        return block_hash


def _signature(entry: Any, signed: str, signers: tuple[str, ...]) -> SignatureSeen:
    index = _number(entry.get("sealerIndex")) if isinstance(entry, dict) else -1
    if not 0 <= index < len(signers):
        return SignatureSeen(index, is_valid=False)
    try:
        key, digest = bytes.fromhex(signers[index]), bytes.fromhex(signed)
        signature = bytes.fromhex(_plain(entry.get("signature")))
    except ValueError:
        return SignatureSeen(index, is_valid=False)
    return SignatureSeen(index, is_valid=verify(key, digest, signature))
