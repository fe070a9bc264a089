"""The sealer: when a leader makes a proposal, and what is in it.

Rule 1. A proposal is due when as many transactions wait as a block may hold, or at least one waits and `min_seal_time_ms` has passed since
        the later of the last proposal and the last range that does not extend an unfinished one. It is never empty.
Rule 2. Heights of a range are proposed in order, each once. Nothing is proposed behind a block with a system transaction until it is
        committed: the list of sealers may be another one then.
Rule 3. Its time stamp is above that of the last committed block and of every own earlier one.
Rule 4. The header is as before execution (form.BlockForm.proposed_header); the transactions are named by hash. Its hash is the digest.

`Sealer` does no I/O and has no clock; `SealerTask` runs it on the event loop.

Sources: spec 3.x 1.8 steps 1 and 2; bcos-sealer `SealingManager.cpp`, `Sealer.cpp`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, Protocol

from fiscotool.devnet.contracts import ChainConfig, ExecutedBlock, PooledTx
from fiscotool.devnet.form import BlockForm
from fiscotool.devnet.form3 import FORM3
from fiscotool.pbft.messages import Proposal
from fiscotool.pbft.types import Digest, Height, NodeIndex

__all__ = ["Sealer", "SealerLedger", "SealerPool", "SealerTask", "block_proposal"]


_EMPTY_PAUSE_MS: Final = 100


class SealerLedger(Protocol):
    """What the sealer asks of the ledger."""

    @property
    def form(self) -> BlockForm:
        """How its blocks are written."""

    @property
    def head_hash(self) -> bytes:
        """Hash of the last block."""

    @property
    def height(self) -> int:
        """Number of the last block."""

    @property
    def config(self) -> ChainConfig:
        """Configuration in force for the next block."""

    def header(self, number: int) -> Any:
        """A header."""


class SealerPool(Protocol):
    """What the sealer asks of the pool (`txpool.TxPool`)."""

    @property
    def unsealed_count(self) -> int:
        """Transactions that could be sealed now."""

    def seal(self, limit: int, *, number: int) -> list[PooledTx]:
        """Up to `limit` of them that may enter block `number`, marked as sealed."""

    def mark_sealed(self, tx_hashes: list[bytes], *, number: int, proposal: bytes) -> None:
        """They are in this proposal."""


def block_proposal(
    number: int, me: int, txs: list[PooledTx], config: ChainConfig, timestamp_ms: int, *, form: BlockForm = FORM3, parent_hash: bytes = b""
) -> Proposal:
    """The proposal of block `number` by sealer `me` (Rule 4)."""
    header = form.proposed_header(number, me, config, timestamp_ms, [tx.tx_hash for tx in txs], parent_hash)
    return Proposal(
        index=Height(number),
        digest=Digest(form.hash_header(header)),
        data=form.encode_proposal(header, txs),
        is_system=any(tx.is_system for tx in txs),
        sealer=NodeIndex(me),
    )


class Sealer:
    """Decides and builds. Times in milliseconds: `now_ms` of a steady clock, `wall_ms` since 1970."""

    def __init__(self, ledger: SealerLedger, *, node_id: bytes, min_seal_time_ms: int, wall_ms: Callable[[], int]) -> None:
        self._ledger = ledger
        self._node_id = node_id
        self._min_seal_time_ms = min_seal_time_ms
        self._wall_ms = wall_ms
        self._next = 0
        self._last = -1
        self._since_ms = 0
        self._wait_until = 0
        self._timestamp_ms = 0
        self._not_before_ms = 0
        self._found_in: ChainConfig | None = None
        self._found_at = -1

    def set_range(self, first: int, last: int, now_ms: int) -> None:
        """Propose the heights `first`..`last` from now on; `last < first`: none. From the height that is next anyway: a longer range."""
        if first != self._next or self._next > self._last:
            self._next = first
            self._since_ms = now_ms
            # A system block that is to be proposed again was never agreed.
            self._wait_until = min(self._wait_until, first - 1)
        self._last = last

    def poll(self, now_ms: int, pool: SealerPool) -> Proposal | None:
        """The next proposal if one is due now (Rule 1)."""
        wake_ms = self.next_wake_ms(pool)
        if wake_ms is None or now_ms < wake_ms:
            return None
        config = self._ledger.config
        number = self._number
        txs = pool.seal(config.tx_count_limit, number=number)
        if not txs:
            # What waits may not enter this block any more, and leaves the pool with the next commit.
            self._not_before_ms = now_ms + _EMPTY_PAUSE_MS
            return None
        ledger = self._ledger
        proposal = block_proposal(
            number, self._index_in(config), txs, config, self._timestamp(), form=ledger.form, parent_hash=ledger.head_hash
        )
        pool.mark_sealed([tx.tx_hash for tx in txs], number=number, proposal=proposal.digest)
        self._next = number + 1
        self._since_ms = now_ms
        if proposal.is_system:
            self._wait_until = number
        return proposal

    def next_wake_ms(self, pool: SealerPool) -> int | None:
        """When `poll` may give a proposal, on the clock of `now_ms`; None until range, pool or ledger change."""
        waiting = pool.unsealed_count
        config = self._ledger.config
        if not waiting or self._index_in(config) < 0 or self._number > self._last or self._wait_until > self._ledger.height:
            return None
        is_full = waiting >= config.tx_count_limit
        return max(self._not_before_ms, self._since_ms if is_full else self._since_ms + self._min_seal_time_ms)

    def _index_in(self, config: ChainConfig) -> int:
        """The own position in the list of sealers, -1 for none. Asked for every transaction, so remembered."""
        if self._found_in is not config:
            self._found_in = config
            self._found_at = next((index for index, sealer in enumerate(config.sealers) if sealer.node_id == self._node_id), -1)
        return self._found_at

    @property
    def _number(self) -> int:
        """The height to be proposed next: others may have brought some of the range."""
        return max(self._next, self._ledger.height + 1)

    def _timestamp(self) -> int:
        header = self._ledger.header(self._ledger.height)
        parent_ms = header.timestamp_ms if header is not None else 0
        self._timestamp_ms = max(self._wall_ms(), parent_ms + 1, self._timestamp_ms + 1)
        return self._timestamp_ms


class SealerTask:
    """Runs a Sealer on the event loop: wakes it when range, pool or ledger change, or when its time has come."""

    def __init__(self, sealer: Sealer, pool: SealerPool, propose: Callable[[Proposal], None], now_ms: Callable[[], int]) -> None:
        self._sealer = sealer
        self._pool = pool
        self._propose = propose
        self._now_ms = now_ms
        self._timer: asyncio.TimerHandle | None = None
        self._wake_s = 0.0
        self._is_stopped = False

    def set_range(self, first: int, last: int, view: int) -> None:
        """Propose these heights from now on, in order; `last < first`: none. `view` only matters to the core."""
        del view
        self._sealer.set_range(first, last, self._now_ms())
        self._plan()

    def on_transactions(self) -> None:
        """The pool has something new."""
        self._plan()

    def on_block(self, block: ExecutedBlock) -> None:
        """A block is durable."""
        del block
        self._plan()

    def stop(self) -> None:
        """Propose nothing any more."""
        self._is_stopped = True
        self._cancel()

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _plan(self) -> None:
        """Always from a fresh turn of the loop: a proposal made inside the core's own step would reach it in the middle of things."""
        wake_ms = None if self._is_stopped else self._sealer.next_wake_ms(self._pool)
        if wake_ms is None:
            self._cancel()
            return
        loop = asyncio.get_running_loop()
        wake_s = loop.time() + max(0, wake_ms - self._now_ms()) / 1000
        if self._timer is not None:
            if self._wake_s <= wake_s:
                return
            self._timer.cancel()
        # Not asked of the timer: what uvloop returns for a time that has come does not know its own.
        self._timer, self._wake_s = loop.call_at(wake_s, self._on_time), wake_s

    def _on_time(self) -> None:
        self._timer = None
        if self._is_stopped:
            return
        proposal = self._sealer.poll(self._now_ms(), self._pool)
        if proposal is not None:
            self._propose(proposal)
        self._plan()
