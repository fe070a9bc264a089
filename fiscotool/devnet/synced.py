"""Is a block that a peer sent the block of the chain? Judged before it is written.

Rule 1. It follows our head: number, parent hash.
Rule 2. Its sealer list and weights are those in force, and distinct sealers with weight of a quorum signed its hash. Also an empty block:
        upstream takes one with no further check (`WireQuirk.EMPTY_SYNC_UNCHECKED`), and counts a signer as often as it is listed
        (`Quirk.DUPLICATE_SIGNERS`).
Rule 3. Executing its transactions on our state gives exactly its header: roots, gas, hash.

Sources: spec 3.x 1.16, 1.17 (known holes); bcos-pbft `pbft/engine/BlockValidator.cpp`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fiscotool.devnet.blocks import BlockWork
from fiscotool.devnet.contracts import ChainConfig, Executor, LedgerStore, PooledTx
from fiscotool.devnet.log import NodeLog, short_hash
from fiscotool.devnet.settings import WireQuirk
from fiscotool.ledger.crypto import BadSignature, recover
from fiscotool.ledger.errors import LedgerFormatError
from fiscotool.ledger.signatures import signed_hash
from fiscotool.pbft.rules import Quirk

__all__ = ["SyncedBlocks", "check_block"]


class SyncedBlocks:
    """Takes synchronised blocks into the ledger. `pooled` decodes and verifies one transaction, or raises LedgerFormatError.

    `on_synced(number, block_hash, signatures)` is told of a good block before it is written.
    """

    def __init__(
        self,
        work: BlockWork,
        store: LedgerStore,
        executor: Executor,
        log: NodeLog,
        *,
        pooled: Callable[[bytes], PooledTx],
        quirks: frozenset[Quirk],
        wire_quirks: frozenset[WireQuirk],
    ) -> None:
        self._work = work
        self._store = store
        self._executor = executor
        self._log = log
        self._pooled = pooled
        self.on_synced: Callable[[int, bytes, Sequence[tuple[int, bytes]]], None] = lambda *_: None
        self._counts_duplicates = Quirk.DUPLICATE_SIGNERS in quirks
        self._takes_empty = WireQuirk.EMPTY_SYNC_UNCHECKED in wire_quirks

    async def apply(self, raw: bytes, number: int) -> bool:
        """Check, execute and write block `number`. False when the block is bad; True also when consensus was faster."""
        async with self._work.head_lock:
            if self._store.height >= number:
                return True
            reason = await self._apply(raw)
        if reason:
            self._log.limited(
                "warning", f"synced block {reason}", "BLOCK SYNC", "BlockSync: checkBlock failed", number=number, reason=reason
            )
        return not reason

    async def _apply(self, raw: bytes) -> str:
        try:
            form = self._store.form
            header, transactions = form.decode_block(raw)
            block_hash = form.hash_header(header)
            parent = (self._store.height, self._store.head_hash)
            is_unchecked = self._takes_empty and not transactions and header.number == parent[0] + 1
            reason = (
                ""
                if is_unchecked
                else check_block(header, block_hash, self._store.config, parent=parent, counts_duplicates=self._counts_duplicates)
            )
            if reason:
                return reason
            known = self._work.executed.get(header.number)
            if known is None or known.block_hash != block_hash:
                self._work.forget_executed_from(header.number)
                txs = [self._pooled(tx) for tx in transactions]
                other_txs: str = form.block_objection(header, [tx.tx_hash for tx in txs])
                if other_txs:
                    return other_txs
                known = self._executor.execute(form.before_execution(header), txs)
        except LedgerFormatError as problem:
            return str(problem)
        if known.block_hash != block_hash:
            self._executor.discard_from(known.number)
            return f"executing it gives {short_hash(known.block_hash)}, not {short_hash(block_hash)}"
        self.on_synced(header.number, block_hash, header.signatures)
        if not await self._work.write(known, header.signatures, is_synced=True):
            return "the disk failed"
        return ""


def check_block(header: Any, block_hash: bytes, config: ChainConfig, *, parent: tuple[int, bytes], counts_duplicates: bool = False) -> str:
    """Why the block must not be taken (Rules 1 and 2), or an empty text. `parent` is (number, hash) of our head."""
    if header.number != parent[0] + 1 or header.parents != (parent,):
        return f"block {header.number} does not follow block {parent[0]}"
    if header.sealer_list != tuple(sealer.node_id for sealer in config.sealers):
        return "its sealer list is not the one in force"
    if header.weights != tuple(sealer.weight for sealer in config.sealers):
        return "its weights are not those in force"
    if not 0 <= header.sealer < len(config.sealers):
        return f"its proposer {header.sealer} is not a sealer"
    total = sum(sealer.weight for sealer in config.sealers)
    weight = 0
    signed = signed_hash(header, block_hash)
    seen: set[int] = set()
    for index, signature in header.signatures:
        if not 0 <= index < len(config.sealers):
            return f"signer {index} is not a sealer"
        if index in seen and not counts_duplicates:
            return f"signer {index} is listed twice"
        seen.add(index)
        try:
            signer = recover(signed, signature)
        except BadSignature:
            signer = b""
        if signer != config.sealers[index].node_id:
            return f"the signature of sealer {index} is not its own"
        weight += config.sealers[index].weight
    quorum = total - (total - 1) // 3
    if weight < quorum:
        return f"signed with weight {weight}, a quorum is {quorum}"
    return ""
