"""What the core asks for beyond messages and timers: check a proposal's content, execute it, write its block.

Rule 1. The head of the ledger moves under one lock, one block at a time, whether consensus or block synchronisation brings the block.
Rule 2. A block is in the ledger entirely or not at all: `LedgerStore.commit` is one transaction. When the disk fails, `on_fatal` is told,
        and nothing more is committed.
Rule 3. A commit that block synchronisation has overtaken is dropped without an answer.
Rule 4. Blocks execute in order; an execution whose parent is not there, or that raises a ledger error, answers `block_hash=None` and the
        core tries again.

Sources: spec 3.x 1.8 steps 5 and 10-14, 1.11; bcos-pbft `Validator.cpp`, `core/StateMachine.cpp`, `storage/LedgerStorage.cpp`.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any, Final, Protocol

from fiscotool.devnet.consensus_log import StoredTransactions
from fiscotool.devnet.contracts import ExecutedBlock, Executor, LedgerStore, Pool, PooledTx
from fiscotool.devnet.gossip import Gossip
from fiscotool.devnet.log import NodeLog, short_hash
from fiscotool.devnet.narration import tell_written
from fiscotool.devnet.parts import SealerPort
from fiscotool.devnet.proposals import ContentCache, filler, not_on_chain, objection, transactions_to_execute
from fiscotool.ledger.errors import LedgerFormatError
from fiscotool.pbft.effects import (
    AgreedIndex,
    BuildFillers,
    CommitBlock,
    Execute,
    ExecutedRecord,
    ReleaseTransactions,
    SealRange,
    VerifyProposal,
    VoteRecord,
)
from fiscotool.pbft.events import Event, Executed, FillersBuilt, LedgerAdvanced, Verified
from fiscotool.pbft.messages import Proposal
from fiscotool.pbft.rules import Rules
from fiscotool.pbft.types import Digest, Height, NodeIndex

__all__ = ["BlockWork", "Host"]

_PARENT_S: Final = 3.0


class Host(Protocol):
    """What the node does for its parts."""

    def post(self, event: Event) -> None:
        """Let the core know."""

    def keep(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a coroutine as long as the node lives."""

    def rules(self) -> tuple[Rules, NodeIndex | None]:
        """Rules and own index in force for the next block."""

    def on_block(self, block: ExecutedBlock) -> None:
        """A block is durable: answer whoever waits for it."""

    def on_agreed(self, index: Height) -> None:
        """Consensus itself brings this height."""

    def on_fatal(self, what: str, problem: Exception) -> None:
        """The disk failed: stop this node."""


class BlockWork:
    """The driver's worker (`driver.Worker`)."""

    def __init__(
        self,
        host: Host,
        *,
        pool: Pool,
        executor: Executor,
        store: LedgerStore,
        gossip: Gossip,
        log: NodeLog,
        own_id: bytes,
        now_ms: Callable[[], int],
    ) -> None:
        self.sealer: SealerPort | None = None
        self.contents = ContentCache(store.form)
        self.head_lock = asyncio.Lock()
        self.executed: dict[int, ExecutedBlock] = {}
        self._head_moved = asyncio.Event()
        self._host = host
        self._pool = pool
        self._executor = executor
        self._store = store
        self._gossip = gossip
        self._log = log
        self._own_id = own_id
        self._now_ms = now_ms
        self._is_failed = False
        self._stored: dict[bytes, int] = {}

    def seal(self, effect: SealRange) -> None:
        """Hand the range to the sealer."""
        if self.sealer is not None:
            self.sealer.set_range(effect.first, effect.last, effect.view)

    def release(self, effect: ReleaseTransactions) -> None:
        """Unseal the proposal's transactions."""
        try:
            self._pool.release(self.contents.of(effect.proposal).tx_hashes, proposal=effect.proposal.digest)
        except LedgerFormatError:
            return  # Its content was never known, so nothing of it is sealed.

    def agreed(self, effect: AgreedIndex) -> None:
        """Tell block synchronisation."""
        self._host.on_agreed(effect.index)

    def stored_transactions(self, record: VoteRecord | ExecutedRecord) -> StoredTransactions | None:
        """The transactions of a prepared or executed proposal, for the consensus log; None when there is nothing new to store."""
        if isinstance(record, ExecutedRecord):
            proposal = record.proposal
        elif record.certificate is None:
            return None
        else:
            proposal = record.certificate.proposal
        if proposal.digest in self._stored or proposal.index <= self._store.height:
            return None  # What is in the ledger is found there.
        txs = self._transactions(proposal)
        if not txs:
            return None
        self._stored[proposal.digest] = proposal.index
        return StoredTransactions(proposal.index, proposal.digest, tuple(tx.raw for tx in txs))

    def _transactions(self, proposal: Proposal) -> list[PooledTx] | None:
        with contextlib.suppress(LedgerFormatError):
            return transactions_to_execute(self.contents.of(proposal).tx_hashes, self._pool, self._store)
        return None

    def _missing(self, tx_hashes: Sequence[bytes], effect: VerifyProposal) -> list[bytes]:
        """What has to be fetched before the proposal can be judged."""
        missing = self._pool.missing(tx_hashes)
        return not_on_chain(missing, self._store) if effect.is_certified else missing

    def _unsealable(self, tx_hashes: Sequence[bytes], effect: VerifyProposal) -> str:
        """Why these may not be in this proposal. A quorum has judged a certified one; that holds (`effects.VerifyProposal`)."""
        return "" if effect.is_certified else self._pool.check_sealable(tx_hashes, number=effect.proposal.index)

    def verify(self, effect: VerifyProposal, *, is_patient_enough: bool = False) -> None:
        """Answer at once when all transactions are here, else after fetching them."""
        proposal = effect.proposal
        try:
            content = self.contents.of(proposal)
            reason = objection(proposal, content, self._store.config)
            if reason and proposal.index > self._store.height + 1 and not is_patient_enough:
                # The block before it may change what is in force (sealers, limits): judge when that block is in the ledger.
                self._host.keep(self._verify_after_parent(effect))
                return
        except LedgerFormatError as problem:
            self._verified(proposal, str(problem))
            return
        if not reason and self._missing(content.tx_hashes, effect):
            self._gossip.drain()
        if reason or not self._missing(content.tx_hashes, effect):
            self._verified(proposal, reason or self._unsealable(content.tx_hashes, effect))
        else:
            self._host.keep(self._fetch_and_verify(effect, content.tx_hashes))

    async def _verify_after_parent(self, effect: VerifyProposal) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PARENT_S):
                while self._store.height + 1 < effect.proposal.index:
                    await self._head_moved.wait()
        self.verify(effect, is_patient_enough=True)

    async def _fetch_and_verify(self, effect: VerifyProposal, tx_hashes: Sequence[bytes]) -> None:
        """Ask the source first, then the other sealers together; each round takes at most 500 ms."""
        sealers = [sealer.node_id for sealer in self._store.config.sealers]
        first = [node_id for node_id in sealers[effect.source : effect.source + 1] if node_id != self._own_id]
        others = [node_id for node_id in sealers if node_id != self._own_id and node_id not in first]
        for targets in (first, others):
            missing = self._missing(tx_hashes, effect)
            if missing:
                await asyncio.gather(*(self._gossip.fetch(node_id, missing) for node_id in targets))
        missing = self._missing(tx_hashes, effect)
        self._verified(effect.proposal, f"{len(missing)} transactions are unknown" if missing else self._unsealable(tx_hashes, effect))

    def _verified(self, proposal: Proposal, reason: str) -> None:
        if reason:
            self._log.warning(
                "CONSENSUS][PBFT", "verify proposal failed", reqHash=short_hash(proposal.digest), reqIndex=proposal.index, msg=reason
            )
        else:
            self._pool.mark_sealed(self.contents.of(proposal).tx_hashes, number=proposal.index, proposal=proposal.digest)
        self._host.post(Verified(index=proposal.index, digest=proposal.digest, is_valid=not reason))

    def build_fillers(self, effect: BuildFillers) -> None:
        """Answer with an empty proposal for each height asked for."""
        _, me = self._host.rules()
        config = self._store.config
        form, head = self._store.form, self._store.head_hash
        now_ms = self._now_ms()
        proposals = tuple(filler(at, me or NodeIndex(0), config, now_ms, form=form, parent_hash=head) for at in effect.indexes)
        self._host.post(FillersBuilt(view=effect.view, proposals=proposals))

    def execute(self, effect: Execute) -> None:
        """Execute now; a thousand transactions take some tens of milliseconds."""
        proposal = effect.proposal
        began_s = time.perf_counter()
        block = None
        with contextlib.suppress(LedgerFormatError):  # A proposal of 2.x may follow another block than ours.
            block = self._execute(proposal)
        if block is None:
            self._log.warning("CONSENSUS][PBFT", "proposal execute failed", propHash=short_hash(proposal.digest), propIndex=proposal.index)
            self._host.post(Executed(index=proposal.index, digest=proposal.digest, block_hash=None))
            return
        self.executed[block.number] = block
        took_ms = int((time.perf_counter() - began_s) * 1000)
        self._log.info(
            "CONSENSUS][Core][METRIC",
            "asyncExecuteBlock success",
            sysBlock=block.is_system,
            number=block.number,
            result=short_hash(block.block_hash),
            txsSize=len(block.txs),
            txsRoot=short_hash(block.header.txs_root),
            receiptsRoot=short_hash(block.header.receipts_root),
            stateRoot=short_hash(block.header.state_root),
            timeCost=took_ms,
            execPerTx=took_ms / max(1, len(block.txs)),
        )
        self._host.post(Executed(index=proposal.index, digest=proposal.digest, block_hash=Digest(block.block_hash)))

    def parent_hash(self, number: int) -> bytes | None:
        """Hash of block `number` - 1, executed or in the ledger; None when it is neither."""
        if number == self._store.height + 1:
            return self._store.head_hash
        parent = self.executed.get(number - 1)
        return None if parent is None else parent.block_hash

    def _execute(self, proposal: Proposal) -> ExecutedBlock | None:
        known = self.executed.get(proposal.index)
        if known is not None and known.proposal_hash == proposal.digest:
            return known
        parent = self.parent_hash(proposal.index)
        txs = self._transactions(proposal)
        if parent is None or txs is None or proposal.index <= self._store.height:
            return None
        self.forget_executed_from(proposal.index)
        below = {tx.tx_hash for block in self.executed.values() for tx in block.txs}
        txs = [tx for tx in txs if tx.tx_hash not in below] if below else txs
        header = self._store.form.on_parent(self.contents.of(proposal).header, parent)
        return replace(self._executor.execute(header, txs), proposal_hash=proposal.digest)

    def forget_executed_from(self, number: int) -> None:
        """Drop executed, uncommitted layers at and above `number`."""
        stale = [at for at in self.executed if at >= number]
        if stale:
            self._executor.discard_from(number)
            for at in stale:
                del self.executed[at]

    def commit(self, effect: CommitBlock) -> None:
        """Write the block as soon as those before it are written."""
        self._host.keep(self._commit(effect))

    async def _commit(self, effect: CommitBlock) -> None:
        async with self.head_lock:
            block = self.executed.get(effect.index)
            if effect.index != self._store.height + 1 or block is None or block.block_hash != effect.block_hash:
                return
            await self.write(block, [(int(index), signature) for index, signature in effect.signatures], is_synced=False)

    async def write(self, block: ExecutedBlock, signatures: Sequence[tuple[int, bytes]], *, is_synced: bool) -> bool:
        """Make the block durable and tell everybody; the caller holds `head_lock`. False when the disk failed."""
        if self._is_failed:
            return False
        began_s = time.perf_counter()
        try:
            await self._store.commit(block, signatures)
        except (OSError, sqlite3.Error) as problem:
            self._is_failed = True
            self._host.on_fatal(f"block {block.number} cannot be written to the ledger", problem)
            return False
        took_ms = int((time.perf_counter() - began_s) * 1000)
        self._pool.on_committed(block.number, [tx.tx_hash for tx in block.txs])
        self._executor.on_committed(block.number)
        for number in [at for at in self.executed if at <= block.number]:
            del self.executed[number]
        self._stored = {digest: at for digest, at in self._stored.items() if at > block.number}
        tell_written(self._log, block, took_ms, is_synced=is_synced)
        moved, self._head_moved = self._head_moved, asyncio.Event()
        moved.set()
        self._host.on_block(block)
        rules, me = self._host.rules()
        self._host.post(LedgerAdvanced(Height(block.number), Digest(block.block_hash), rules, me, by_sync=is_synced))
        return True
