"""Transactions between nodes: what a client gave to one is pushed to all, and what a proposal names is fetched from its leader.

Rule 1. New transactions are pushed within 3 ms, all of them in one frame; what came from a peer is not pushed on.
Rule 2. A peer that (re)connects gets what waits here, so that a restarted leader has something to seal.
Rule 3. A fetch is answered once or given up after its deadline; an answer nobody waits for is treated as a push.
Rule 4. What peers push is admitted in small portions between other work, for a thousand signatures take longer than a vote may wait.
        Whoever needs a transaction now calls `drain` first.
Rule 5. A request for more than 10,000 transactions is refused, and an answer stays below the largest message.

Sources: spec 3.x 0 (modules 2001, 2002, 5000), 1.1 (500 ms), 1.8 step 5; bcos-txpool `sync/TransactionSync.cpp`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

from google.protobuf.message import DecodeError

from fiscotool.devnet.contracts import Pool
from fiscotool.devnet.frames import Module
from fiscotool.devnet.log import NodeLog
from fiscotool.devnet.proto import node_pb2

__all__ = ["FETCH_S", "Gossip"]

FETCH_S: Final = 0.5
_PUSH_AFTER_S: Final = 0.003
_PORTION: Final = 24
_PUSHED_MAX: Final = 50_000
_HASHES_MAX: Final = 10000
_FRAME_BYTES_MAX: Final = 4 * 1024 * 1024


class _Links(Protocol):
    def send(self, node_id: bytes, module: int, payload: bytes) -> bool: ...

    def broadcast(self, module: int, payload: bytes, to: Iterable[bytes] | None = None) -> None: ...


class Gossip:
    """Pushes and fetches transactions. `on_new` is called when the pool has taken in something from a peer."""

    def __init__(self, pool: Pool, links: _Links, log: NodeLog, *, on_new: Callable[[], None]) -> None:
        self._pool = pool
        self._links = links
        self._log = log
        self._on_new = on_new
        self._outbox: list[bytes] = []
        self._waiting: dict[int, asyncio.Future[None]] = {}
        self._next_id = 1
        self._pushed: deque[bytes] = deque()
        self._is_draining = False

    def push(self, raw: bytes) -> None:
        """Send a new transaction to all peers with the next batch."""
        self._outbox.append(raw)
        if len(self._outbox) == 1:
            asyncio.get_running_loop().call_later(_PUSH_AFTER_S, self.flush)

    def flush(self) -> None:
        """Send the batch now; before a proposal, so that its transactions arrive before it."""
        outbox, self._outbox = self._outbox, []
        for batch in _batches(outbox):
            self._links.broadcast(Module.PUSH_TRANSACTION, node_pb2.Transactions(transactions=batch).SerializeToString())

    def push_to(self, node_id: bytes, raws: Sequence[bytes]) -> None:
        """Send what waits here to one peer (Rule 2)."""
        for batch in _batches(raws):
            self._links.send(node_id, Module.PUSH_TRANSACTION, node_pb2.Transactions(transactions=batch).SerializeToString())

    async def fetch(self, node_id: bytes, hashes: Sequence[bytes]) -> None:
        """Ask one peer for transactions and wait until they are in the pool, at most `FETCH_S`. The caller looks what is there then."""
        request_id, self._next_id = self._next_id, self._next_id + 1
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = done
        try:
            request = node_pb2.TransactionsRequest(id=request_id, hashes=hashes).SerializeToString()
            if self._links.send(node_id, Module.CONS_TXS_SYNC, request):
                async with asyncio.timeout(FETCH_S):
                    await done
        except TimeoutError:
            self._log.info("TXPOOL", "fetchMissedTxs timeout", missed=len(hashes))
        finally:
            del self._waiting[request_id]

    def on_frame(self, node_id: bytes, module: int, payload: bytes) -> None:
        """A frame of one of the three modules. Garbage is logged and dropped."""
        try:
            if module == Module.CONS_TXS_SYNC:
                self._serve(node_id, node_pb2.TransactionsRequest.FromString(payload))
                return
            message = node_pb2.Transactions.FromString(payload)
        except DecodeError:
            self._log.limited(
                "warning", "bad transactions", "TXPOOL", "a peer sent what is no list of transactions", peer=node_id.hex()[:8]
            )
            return
        waiting = self._waiting.get(message.id) if module == Module.TXS_SYNC else None
        if waiting is None:
            self._pushed.extend(message.transactions)
            if len(self._pushed) > _PUSHED_MAX:
                self.drain()
            elif not self._is_draining:
                self._is_draining = True
                asyncio.get_running_loop().call_soon(self._admit_some)
            return
        if self._pool.admit_gossip(message.transactions, is_needed=True):
            self._on_new()
        if not waiting.done():
            waiting.set_result(None)

    def drain(self) -> None:
        """Admit now everything that was pushed."""
        pushed, self._pushed = self._pushed, deque()
        if pushed and self._pool.admit_gossip(pushed):
            self._on_new()

    def _admit_some(self) -> None:
        pushed = self._pushed
        portion = [pushed.popleft() for _ in range(min(_PORTION, len(pushed)))]
        self._is_draining = bool(pushed)
        if self._is_draining:
            asyncio.get_running_loop().call_soon(self._admit_some)
        if self._pool.admit_gossip(portion):
            self._on_new()

    def _serve(self, node_id: bytes, request: node_pb2.TransactionsRequest) -> None:
        found: list[bytes] = []
        size_bytes = 0
        for tx_hash in request.hashes[:_HASHES_MAX]:
            tx = self._pool.get(tx_hash)
            if tx is not None and size_bytes < _FRAME_BYTES_MAX:
                found.append(tx.raw)
                size_bytes += len(tx.raw)
        self._links.send(node_id, Module.TXS_SYNC, node_pb2.Transactions(id=request.id, transactions=found).SerializeToString())


def _batches(raws: Sequence[bytes]) -> Iterable[list[bytes]]:
    batch: list[bytes] = []
    size_bytes = 0
    for raw in raws:
        batch.append(raw)
        size_bytes += len(raw)
        if size_bytes >= _FRAME_BYTES_MAX:
            yield batch
            batch, size_bytes = [], 0
    if batch:
        yield batch
