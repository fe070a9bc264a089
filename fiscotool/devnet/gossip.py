"""Transactions between nodes: what a client gave to one is pushed to all, and what a proposal names is fetched from its leader.

Rule 1. New transactions are pushed within 3 ms, all of them in one frame; what came from a peer is not pushed on.
Rule 2. A peer that (re)connects gets what waits here, so that a restarted leader has something to seal.
Rule 3. A fetch is answered once or given up after its deadline; an answer nobody waits for is treated as a push.
Rule 4. What peers push is admitted in small portions between other work, for a thousand signatures take longer than a vote may wait.
        Whoever needs a transaction now calls `drain` first. Portions are taken from each peer in turn; what is refused is charged to it.
        Of one peer at most 16,384 transactions and 16 MiB wait; what comes beyond is dropped, for whoever proposes it can be asked for it.
Rule 5. An answer counts only from the peer that was asked, and no more of it than was asked for.
Rule 6. A request for more than 10,000 transactions is refused, and an answer stays below the largest message.

Sources: spec 3.x 0 (modules 2001, 2002, 5000), 1.1 (500 ms), 1.8 step 5; bcos-txpool `sync/TransactionSync.cpp`.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
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
_PUSHED_MAX: Final = 16_384
_PUSHED_BYTES_MAX: Final = 16 * 1024 * 1024
_HASHES_MAX: Final = 10000
_FRAME_BYTES_MAX: Final = 4 * 1024 * 1024


class _Links(Protocol):
    def send(self, node_id: bytes, module: int, payload: bytes) -> bool: ...

    def broadcast(self, module: int, payload: bytes, to: Iterable[bytes] | None = None) -> None: ...

    def is_choked(self, node_id: bytes) -> bool: ...

    def charge(self, node_id: bytes, cpu_s: float) -> None: ...


class _Pushed:
    """What one peer pushed and nobody has looked at yet, oldest first."""

    def __init__(self) -> None:
        self._raws: deque[bytes] = deque()
        self._size_bytes = 0

    def __len__(self) -> int:
        return len(self._raws)

    def add(self, raws: Iterable[bytes]) -> None:
        for raw in raws:
            if len(self._raws) >= _PUSHED_MAX or self._size_bytes + len(raw) > _PUSHED_BYTES_MAX:
                return
            self._raws.append(raw)
            self._size_bytes += len(raw)

    def take(self, count: int) -> list[bytes]:
        taken = [self._raws.popleft() for _ in range(min(count, len(self._raws)))]
        self._size_bytes -= sum(map(len, taken))
        return taken


class Gossip:
    """Pushes and fetches transactions. `on_new` is called when the pool has taken in something from a peer."""

    def __init__(self, pool: Pool, links: _Links, log: NodeLog, *, on_new: Callable[[], None]) -> None:
        self._pool = pool
        self._links = links
        self._log = log
        self._on_new = on_new
        self._outbox: list[bytes] = []
        self._waiting: dict[tuple[bytes, int], tuple[asyncio.Future[None], int]] = {}
        self._next_id = 1
        self._pushed: dict[bytes, _Pushed] = {}
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
        """Send what waits here to one peer (Rule 2), as much as it will take at once."""
        for batch in islice(_batches(raws), _PUSHED_BYTES_MAX // _FRAME_BYTES_MAX):
            self._links.send(node_id, Module.PUSH_TRANSACTION, node_pb2.Transactions(transactions=batch).SerializeToString())

    async def fetch(self, node_id: bytes, hashes: Sequence[bytes]) -> None:
        """Ask one peer for transactions and wait until they are in the pool, at most `FETCH_S`. The caller looks what is there then."""
        request_id, self._next_id = self._next_id, self._next_id + 1
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[node_id, request_id] = done, len(hashes)
        try:
            request = node_pb2.TransactionsRequest(id=request_id, hashes=hashes).SerializeToString()
            if self._links.send(node_id, Module.CONS_TXS_SYNC, request):
                async with asyncio.timeout(FETCH_S):
                    await done
        except TimeoutError:
            self._log.info("TXPOOL", "fetchMissedTxs timeout", missed=len(hashes))
        finally:
            del self._waiting[node_id, request_id]

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
        waiting = self._waiting.get((node_id, message.id)) if module == Module.TXS_SYNC else None
        if waiting is None:
            self._pushed.setdefault(node_id, _Pushed()).add(message.transactions)
            if not self._is_draining:
                self._is_draining = True
                asyncio.get_running_loop().call_soon(self._admit_some)
            return
        done, asked_count = waiting
        if self._pool.admit_gossip(message.transactions[:asked_count], is_needed=True):
            self._on_new()
        if not done.done():
            done.set_result(None)

    def drain(self) -> None:
        """Admit now everything that was pushed."""
        pushed, self._pushed = self._pushed, {}
        for node_id, waiting in pushed.items():
            self._admit(node_id, waiting.take(len(waiting)))

    def _admit_some(self) -> None:
        """A portion of the peer whose turn it is."""
        if not self._pushed:
            self._is_draining = False
            return
        asyncio.get_running_loop().call_soon(self._admit_some)
        node_id = next(iter(self._pushed))
        waiting = self._pushed.pop(node_id)
        portion = waiting.take(_PORTION)
        if waiting:
            self._pushed[node_id] = waiting
        self._admit(node_id, portion)

    def _admit(self, node_id: bytes, raws: Sequence[bytes]) -> None:
        began_s = time.thread_time()
        taken = self._pool.admit_gossip(raws)
        if len(taken) < len(raws):
            self._links.charge(node_id, (time.thread_time() - began_s) * (len(raws) - len(taken)) / len(raws))
        if taken:
            self._on_new()

    def _serve(self, node_id: bytes, request: node_pb2.TransactionsRequest) -> None:
        if self._links.is_choked(node_id):
            return
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
