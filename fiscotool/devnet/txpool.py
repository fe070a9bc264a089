"""The transaction pool (contracts.Pool): admits, keeps in order, hands to the sealer, forgets.

Rule 1. What comes in has passed admission.py.
Rule 2. A transaction in an accepted proposal (sealed) stays until its block is durable or the proposal is released, whatever its limit
        says by then: agreed blocks must be executable.
Rule 3. Sealing order: system transactions, then what was released, then arrival; Web3 transactions of one sender by nonce.
Rule 4. All sizes are bounded: `limit` transactions and 128 MiB (what a proposal needs is taken beyond), 1 MiB each, 8 MiB a block.
Rule 5. Work per transaction does not depend on how many are here.

Deviations: the real node does not enforce `txpool.limit` on submission (spec 3.x 4.6), and bounds neither transaction nor block.

Sources: spec 3.x 2.5, 2.6, 3.2, 3.8; bcos-txpool `txpool/storage/MemoryStorage.cpp`, `validator/*`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from fiscotool.devnet.admission import BLOCK_LIMIT_CHECK_FAIL, NONCE_CHECK_FAIL, POOL_IS_FULL, POOL_TIMEOUT, PoolLedger, refused
from fiscotool.devnet.contracts import AdmissionError, PooledTx
from fiscotool.devnet.judges import make_judge
from fiscotool.devnet.lanes import Lanes
from fiscotool.devnet.nonces import DIGEST_BYTES

__all__ = ["BLOCK_BYTES_MAX", "TxPool"]

BLOCK_BYTES_MAX: Final = 8 << 20
POOL_BYTES_MAX: Final = 128 << 20


class _Entry:
    """A pooled transaction: `mark` is the digest of a native nonce or the Web3 nonce; `sealed_in` (height, digest) of its proposal."""

    __slots__ = ("arrived_ms", "mark", "sealed_in", "tx")

    def __init__(self, tx: PooledTx, mark: bytes | int, arrived_ms: int) -> None:
        self.tx = tx
        self.mark = mark
        self.arrived_ms = arrived_ms
        self.sealed_in: tuple[int, bytes] | None = None


class TxPool:
    """The pool of a node. `now_ms` gives milliseconds of any steady clock, `import_time_ms` those since 1970.

    `on_dropped(tx_hash, status)` is told what leaves the pool without being in a block (status as in spec 3.x 2.5).
    """

    def __init__(
        self,
        ledger: PoolLedger,
        *,
        chain_id: str,
        group_id: str,
        now_ms: Callable[[], int],
        import_time_ms: Callable[[], int],
        limit: int = 15_000,
        expiration_ms: int = 600_000,
        on_dropped: Callable[[bytes, int], None] | None = None,
        generation: int = 3,
    ) -> None:
        self.on_dropped = on_dropped
        self.refused_gossip: dict[int, int] = {}
        self._ledger = ledger
        self._now_ms = now_ms
        self._limit = limit
        self._expiration_ms = expiration_ms
        self._entries: dict[bytes, _Entry] = {}
        self._size_bytes = 0
        self._system: dict[bytes, PooledTx] = {}
        self._released: dict[bytes, PooledTx] = {}
        self._arrived: dict[bytes, PooledTx] = {}
        self._by_nonce: dict[bytes, bytes] = {}
        self._by_limit: dict[int, set[bytes]] = {}
        self._lanes = Lanes()
        self._admission = make_judge(
            generation,
            ledger,
            chain_id=chain_id,
            group_id=group_id,
            known=self._entries,
            nonces=self._by_nonce,
            lanes=self._lanes,
            import_time_ms=import_time_ms,
        )

    # Taking in.

    def admit(self, raw: bytes) -> PooledTx:
        """As contracts.Pool. The transaction is kept in canonical form, with the time it came in if it has none."""
        return self._admit(raw, is_local=True, is_needed=False)

    def admit_gossip(self, raws: Iterable[bytes], *, is_needed: bool = False) -> list[PooledTx]:
        """As contracts.Pool; refusals are counted by status in `refused_gossip`.

        `is_needed`: a proposal or a vote waits for these, so a full pool takes them too.
        """
        taken: list[PooledTx] = []
        for raw in raws:
            try:
                taken.append(self._admit(raw, is_local=False, is_needed=is_needed))
            except AdmissionError as refusal:
                self.refused_gossip[refusal.status] = self.refused_gossip.get(refusal.status, 0) + 1
        return taken

    def _admit(self, raw: bytes, *, is_local: bool, is_needed: bool) -> PooledTx:
        if (len(self._entries) >= self._limit or self._size_bytes >= POOL_BYTES_MAX) and not is_needed:
            raise refused(POOL_IS_FULL)
        tx, mark = self._admission.judge(raw, is_local=is_local, is_needed=is_needed)
        tx_hash = tx.tx_hash
        self._entries[tx_hash] = _Entry(tx, mark, self._now_ms())
        self._size_bytes += len(tx.raw)
        if isinstance(mark, int):
            self._make_ready(self._lanes.add(tx.sender, mark, tx_hash, self._ledger.account(tx.sender).nonce))
        else:
            self._by_nonce[mark] = tx_hash
            self._by_limit.setdefault(tx.block_limit, set()).add(tx_hash)
            (self._system if tx.is_system else self._arrived)[tx_hash] = tx
        return tx

    def _make_ready(self, tx_hashes: Iterable[bytes]) -> None:
        for tx_hash in tx_hashes:
            entry = self._entries[tx_hash]
            if entry.sealed_in is None:
                (self._system if entry.tx.is_system else self._arrived)[tx_hash] = entry.tx

    # Sealing.

    def seal(self, limit: int, *, number: int = 0) -> list[PooledTx]:
        """As contracts.Pool; also at most BLOCK_BYTES_MAX bytes, in which at least eight transactions have room.

        With the height of the proposal: none whose block limit is below it. Others would have dropped it before they could execute it.
        """
        chosen: list[PooledTx] = []
        size_bytes = 0
        for queue in (self._system, self._released, self._arrived):
            for tx in queue.values():
                if len(chosen) >= limit:
                    break
                if tx.block_limit < number and not tx.is_web3:
                    continue
                size_bytes += len(tx.raw)
                if size_bytes > BLOCK_BYTES_MAX:
                    break
                chosen.append(tx)
        self.mark_sealed([tx.tx_hash for tx in chosen])
        return chosen

    def mark_sealed(self, tx_hashes: Iterable[bytes], *, number: int = 0, proposal: bytes = b"") -> None:
        """As contracts.Pool. With height and digest of the proposal, a later `release` of another proposal leaves the mark alone."""
        sealed_in = (number, proposal)
        for tx_hash in tx_hashes:
            entry = self._entries.get(tx_hash)
            if entry is not None:
                entry.sealed_in = sealed_in
                self._unqueue(tx_hash)

    def _unqueue(self, tx_hash: bytes) -> None:
        self._arrived.pop(tx_hash, None) or self._system.pop(tx_hash, None) or self._released.pop(tx_hash, None)

    def release(self, tx_hashes: Iterable[bytes], *, proposal: bytes = b"") -> None:
        """As contracts.Pool. With the digest of the proposal, only what is not in a newer one."""
        height = self._ledger.height
        senders: dict[bytes, None] = {}
        for tx_hash in tx_hashes:
            entry = self._entries.get(tx_hash)
            if entry is None or entry.sealed_in is None or (proposal and entry.sealed_in[1] and entry.sealed_in[1] != proposal):
                continue
            entry.sealed_in = None
            tx = entry.tx
            if tx.is_web3:
                senders[tx.sender] = None
            elif tx.block_limit <= height:
                self._drop(tx_hash, BLOCK_LIMIT_CHECK_FAIL[0])
            else:
                (self._system if tx.is_system else self._released)[tx_hash] = tx
        # Proposals are released in any order; a sender's transactions must be sealed by nonce all the same.
        for sender in senders:
            for tx_hash in self._lanes.ready(sender):
                entry = self._entries[tx_hash]
                if entry.sealed_in is None:
                    self._unqueue(tx_hash)
                    self._released[tx_hash] = entry.tx

    def missing(self, tx_hashes: Iterable[bytes]) -> list[bytes]:
        """As contracts.Pool."""
        entries = self._entries
        return [tx_hash for tx_hash in tx_hashes if tx_hash not in entries]

    def get(self, tx_hash: bytes) -> PooledTx | None:
        """As contracts.Pool."""
        entry = self._entries.get(tx_hash)
        return None if entry is None else entry.tx

    def check_sealable(self, tx_hashes: Sequence[bytes], *, number: int = 0) -> str:
        """As contracts.Pool. With the proposal's height also: past a block limit, or in an accepted proposal of a lower height."""
        seen: set[bytes] = set()
        for tx_hash in tx_hashes:
            entry = self._entries.get(tx_hash)
            if entry is None:
                return f"transaction {tx_hash.hex()} is unknown"
            if tx_hash in seen:
                return f"transaction {tx_hash.hex()} is in it twice"
            seen.add(tx_hash)
            if isinstance(entry.mark, bytes) and entry.mark in self._ledger.nonces:
                return f"transaction {tx_hash.hex()} has a nonce that is on the chain"
            if entry.tx.block_limit < number and not entry.tx.is_web3:
                return f"transaction {tx_hash.hex()} may not enter a block above {entry.tx.block_limit}"
            if number and entry.sealed_in is not None and 0 < entry.sealed_in[0] < number:
                return f"transaction {tx_hash.hex()} is already in the proposal of height {entry.sealed_in[0]}"
        return ""

    # Forgetting.

    def on_committed(self, number: int, tx_hashes: Sequence[bytes]) -> None:
        """As contracts.Pool."""
        is_foreign = False
        senders: set[bytes] = set()
        for tx_hash in tx_hashes:
            entry = self._remove(tx_hash)
            if entry is None:
                is_foreign = True
            elif entry.tx.is_web3:
                senders.add(entry.tx.sender)
        if is_foreign:
            # Blocks of others may use up nonces of transactions that wait here.
            self._drop_used_nonces(number)
            senders.update(self._lanes.senders())
        for sender in senders:
            stale, ready = self._lanes.advance(sender, self._ledger.account(sender).nonce)
            self._make_ready(ready)
            for tx_hash in stale:
                self._drop(tx_hash, NONCE_CHECK_FAIL[0])
        for tx_hash in list(self._by_limit.get(number, ())):
            if self._entries[tx_hash].sealed_in is None:
                self._drop(tx_hash, BLOCK_LIMIT_CHECK_FAIL[0])

    def _drop_used_nonces(self, number: int) -> None:
        packed = self._ledger.nonces.of_block(number)
        for at in range(0, len(packed), DIGEST_BYTES):
            tx_hash = self._by_nonce.get(packed[at : at + DIGEST_BYTES])
            if tx_hash is not None:
                self._drop(tx_hash, NONCE_CHECK_FAIL[0])

    def expire(self) -> int:
        """Drop what has waited unsealed for longer than `expiration_ms`; returns how many. To be called now and then."""
        oldest_ms = self._now_ms() - self._expiration_ms
        old = []
        for tx_hash, entry in self._entries.items():
            if entry.arrived_ms > oldest_ms:
                break
            if entry.sealed_in is None:
                old.append(tx_hash)
        for tx_hash in old:
            self._drop(tx_hash, POOL_TIMEOUT[0])
        return len(old)

    def _drop(self, tx_hash: bytes, status: int) -> None:
        if self._remove(tx_hash) is not None and self.on_dropped is not None:
            self.on_dropped(tx_hash, status)

    def _remove(self, tx_hash: bytes) -> _Entry | None:
        entry = self._entries.pop(tx_hash, None)
        if entry is None:
            return None
        if entry.sealed_in is None:
            self._unqueue(tx_hash)
        tx = entry.tx
        self._size_bytes -= len(tx.raw)
        if isinstance(entry.mark, bytes):
            del self._by_nonce[entry.mark]
            others = self._by_limit[tx.block_limit]
            others.discard(tx_hash)
            if not others:
                del self._by_limit[tx.block_limit]
        else:
            for unready in self._lanes.remove(tx.sender, entry.mark, self._ledger.account(tx.sender).nonce):
                self._unqueue(unready)
        return entry

    def pending_nonce(self, address: bytes) -> int:
        """The next Web3 nonce of an account, counting what waits here (eth_getTransactionCount "pending")."""
        waiting = self._lanes.next_nonce(address)
        return self._ledger.account(address).nonce if waiting is None else waiting

    def pending_raws(self) -> list[bytes]:
        """Everything held, in order of arrival, for a peer that has just connected."""
        return [entry.tx.raw for entry in self._entries.values()]

    @property
    def unsealed_count(self) -> int:
        """As contracts.Pool: Web3 transactions that wait for a gap are not counted."""
        return len(self._system) + len(self._released) + len(self._arrived)

    @property
    def total_count(self) -> int:
        """As contracts.Pool."""
        return len(self._entries)
