"""One embedded node: its parts, put together.

    peers ──frames──▶ Node ──▶ envelope ──▶ driver (core) ──▶ outgoing ──▶ peers
                       │                      │
                       ├──▶ gossip ──▶ pool ◀──┴── blocks ──▶ executor, ledger
                       ├──▶ sync ──────────────▶ blocks
    RPC ──Facade───────┘

Rule 1. Everything happens on one loop in one thread; only fsyncs leave it.
Rule 2. Start: ledger, consensus log, core with its two view changes into the void (spec 1.14), then P2P. `main.py` adds the RPC.
Rule 3. When a disk fails the replica halts first (nothing leaves any more); then `on_fatal` is told and the process ends.

Sources: spec 3.x 0, 1.10, 1.14; fisco-bcos-air `AirNodeInitializer.cpp`, libinitializer `Initializer.cpp`, `PBFTInitializer.cpp`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final

from fiscotool.devnet.blocks import BlockWork
from fiscotool.devnet.byzantine import announce, claimed_height
from fiscotool.devnet.clocks import now_ms
from fiscotool.devnet.consensus_log import ConsensusLog
from fiscotool.devnet.contracts import AdmissionError, ExecutedBlock
from fiscotool.devnet.driver import Driver, Outgoing
from fiscotool.devnet.durability import DurableWriter
from fiscotool.devnet.envelope import Envelope, NotAuthentic
from fiscotool.devnet.frames import Module
from fiscotool.devnet.gossip import Gossip
from fiscotool.devnet.links import Identity
from fiscotool.devnet.log import NodeLog
from fiscotool.devnet.misbehaving import make_liar, serve_block, served_until
from fiscotool.devnet.narrators import make_narrator
from fiscotool.devnet.outgoing import SignedOutgoing
from fiscotool.devnet.parts import Parts
from fiscotool.devnet.peers import Peers
from fiscotool.devnet.planted import announce_mutant, dialect_of
from fiscotool.devnet.rulebook import rules_of
from fiscotool.devnet.settings import Settings
from fiscotool.devnet.sync import BlockSync
from fiscotool.devnet.synced import SyncedBlocks
from fiscotool.devnet.tracefile import birth_of, open_trace
from fiscotool.devnet.waiting import Waiting
from fiscotool.devnet.wire_parts import WireError
from fiscotool.pbft.events import Event, PeersChanged, PoolSize, Proposed, Received, Started, SyncTarget
from fiscotool.pbft.messages import Proposal
from fiscotool.pbft.rules import Rules
from fiscotool.pbft.types import Digest, Height, NodeIndex

__all__ = ["Node"]

_POOL_REPORT_S: Final = 0.1
_FRAME_COST_S: Final = 5e-6  # What decrypting and cutting out a frame costs besides.


class Node:
    """A node (`blocks.Host`, `peers.PeerListener`). `parts` is what holds transactions, state and blocks."""

    def __init__(self, settings: Settings, parts: Parts, identity: Identity, log: NodeLog, *, on_fatal: Callable[[str], None]) -> None:
        self.parts = parts
        self.identity = identity
        self._log, self.settings = log, settings
        self.dialect = dialect_of(settings)
        self._on_fatal = on_fatal
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_stopping = False
        self._rules_of: tuple[object, Rules, NodeIndex | None] | None = None
        store, pool = parts.store, parts.pool
        self.waiting = Waiting()
        parts.watch_dropped(self.waiting.on_dropped)
        self.peers = Peers(settings, identity, self, log, time.monotonic)
        self.envelope = Envelope(identity.key, settings.quirks, settings.wire_quirks, self.dialect)
        self.gossip = Gossip(pool, self.peers, log, on_new=self._on_transactions)
        self.blocks = BlockWork(
            self, pool=pool, executor=parts.executor, store=store, gossip=self.gossip, log=log, own_id=self.node_id, now_ms=now_ms
        )
        synced = SyncedBlocks(
            self.blocks, store, parts.executor, log, pooled=parts.pooled, quirks=settings.quirks, wire_quirks=settings.wire_quirks
        )
        self.sync = BlockSync(
            store,
            self.peers,
            log,
            time.monotonic,
            apply_block=synced.apply,
            on_change=self._on_peers_changed,
            on_target=lambda index: self.post(SyncTarget(Height(index))),
            claimed=lambda: (claimed_height(settings.byzantine, store.height), store.head_hash),
            serve=lambda number: serve_block(store, settings.byzantine, number),
            served_until=lambda: served_until(settings.byzantine, store.height),
            executed=lambda: max(self.blocks.executed, default=store.height),
        )
        self._log_file = ConsensusLog(
            settings.data_path,
            genesis_hash=store.genesis_hash,
            node_id=self.node_id,
            height=store.height,
            protocol=settings.protocol,
        )
        self._writer = DurableWriter(
            self._log_file,
            on_durable=lambda: self.driver.on_durable(),  # noqa: PLW0108 - the driver is made below
            on_failed=lambda problem: self.on_fatal("the consensus log cannot be written", problem),
        )
        signed = SignedOutgoing(self.envelope, self.peers, own_id=self.node_id, sealers=self._sealer_ids, now_ms=now_ms)
        self.bent = make_liar(signed, settings.byzantine, store, lambda: self.driver.state)
        self.outgoing: Outgoing = self.bent or signed
        self.narrator = make_narrator(settings.protocol, log, self.node_id, self.blocks.contents)
        self.trace = open_trace(settings, self.narrator)
        synced.on_synced = self.trace.on_synced
        self.driver = self._make_driver()
        self.sealer = parts.make_sealer(self._on_proposed)
        self.blocks.sealer = self.sealer

    def _make_driver(self) -> Driver:
        """The replica with what it must not have forgotten."""
        store = self.parts.store
        remembered = self._log_file.load(Height(store.height - self.dialect.retained_blocks))
        for stored in remembered.transactions:
            self.parts.pool.admit_gossip(stored.raws, is_needed=True)
        rules, me = self.rules()
        # Only classic has such a record, and only its `initial_state` takes one.
        more = {} if remembered.stand is None else {"stand": remembered.stand}
        state = self.dialect.initial_state(
            rules=rules,
            me=me,
            height=Height(store.height),
            block_hash=Digest(store.head_hash),
            votes=remembered.votes,
            executed=remembered.executed,
            **more,
        )
        self._log.info(
            "CONSENSUS][PBFT][STORAGE", "loadState", votes=len(remembered.votes), executed=len(remembered.executed), height=store.height
        )
        self.trace.born(birth_of(self.settings, self.node_id, store, remembered, (rules, me)))
        return Driver(state, writer=self._writer, outgoing=self.outgoing, worker=self.blocks, witness=self.trace, dialect=self.dialect)

    async def start(self) -> None:
        """Start the core, then listen and dial. Raises OSError when the P2P port is taken."""
        if self.settings.byzantine:
            announce(self._log, self.settings.byzantine)
        announce_mutant(self._log, self.settings.mutant)
        self.narrator.started(self.driver.state)
        self.post(Started())
        await self.peers.listen()
        self.peers.start()
        self.keep(self.sync.run())
        self.keep(self._report_pool())

    async def stop(self) -> None:
        """Stop everything in the order that loses nothing: no new events, no new links, then the disk."""
        self._is_stopping = True
        self.driver.halt()
        self.sealer.stop()
        self.waiting.refuse_all("the node stops")
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.peers.stop()
        self.trace.close()
        self._writer.close()
        self._log_file.close()
        self.parts.close()

    # What the parts ask of the node (blocks.Host).

    def post(self, event: Event) -> None:
        """Let the core know."""
        self.driver.post(event)

    def keep(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a coroutine as long as the node lives; one that fails stops the node, for its work would silently be missing."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._on_task_done)
        return task

    def _on_task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.on_fatal("a part of the node failed", task.exception())

    def rules(self) -> tuple[Rules, NodeIndex | None]:
        """Rules and own index in force for the next block."""
        config = self.parts.store.config
        if self._rules_of is None or self._rules_of[0] is not config:
            self._rules_of = (config, *rules_of(config, self.settings, self.node_id))
        return self._rules_of[1], self._rules_of[2]

    def on_block(self, block: ExecutedBlock) -> None:
        """A block is durable: answer whoever waits for it, tell the peers."""
        self._writer.forget_until = Height(block.number - self.dialect.retained_blocks)
        self.waiting.on_block(block)
        self.sync.on_head()
        self.sealer.on_block(block)

    def on_agreed(self, index: Height) -> None:
        """Consensus itself brings this height."""
        self.sync.agreed = index

    def on_fatal(self, what: str, problem: BaseException | None) -> None:
        """Halt the replica, then end the process."""
        self.driver.halt()
        self.sealer.stop()
        if self._is_stopping:
            return
        self._is_stopping = True
        self._log.error("INITIALIZER", f"{what}, the node stops", reason=problem)
        self._on_fatal(f"{what}: {problem}")

    def _on_proposed(self, proposal: Proposal) -> None:
        self.gossip.flush()
        self.post(Proposed(proposal))

    # What peers bring (peers.PeerListener).

    def on_peer_connected(self, node_id: bytes) -> None:
        """A peer can be sent to: tell it our height and what waits here."""
        self.sync.on_connected(node_id)
        self.gossip.push_to(node_id, self.parts.pending())
        self._on_peers_changed()

    def on_peer_lost(self, node_id: bytes) -> None:
        """A peer is gone."""
        self.sync.on_lost(node_id)
        self._on_peers_changed()

    def on_peer_frame(self, node_id: bytes, module: int, payload: bytes) -> None:
        """A frame of a peer, for whom it is. What leads to nothing is charged to the peer."""
        began_s = time.thread_time()
        if module == Module.PBFT:
            self._on_message(node_id, payload, began_s)
            return
        if module == Module.BLOCK_SYNC:
            self.sync.on_frame(node_id, payload)
        elif module in {Module.PUSH_TRANSACTION, Module.TXS_SYNC, Module.CONS_TXS_SYNC}:
            self.gossip.on_frame(node_id, module, payload)
        else:
            self._log.limited("warning", "unknown module", "P2PService", "a frame for no part of this node", module=module)
        # What was asked for is no waste.
        self.peers.charge(node_id, _FRAME_COST_S + (0.0 if module == Module.TXS_SYNC else time.thread_time() - began_s))

    def _on_message(self, node_id: bytes, payload: bytes, began_s: float) -> None:
        before, peer = self.driver.state, node_id.hex()[:8]
        try:
            message = self.envelope.open(payload, self._sealer_ids())
        except (WireError, NotAuthentic) as problem:
            self._log.limited("warning", f"bad message {peer}", "CONSENSUS][PBFT", "checkSignature failed", peer=peer, reason=problem)
            self.peers.charge(node_id, time.thread_time() - began_s + _FRAME_COST_S)
            return
        opening_s = time.thread_time() - began_s
        self.post(Received(message))
        self.peers.charge(node_id, time.thread_time() - began_s if self.driver.state is before else opening_s)
        if self.bent is not None:
            self.bent.on_heard(message, payload)

    def _sealer_ids(self) -> list[bytes]:
        return [sealer.node_id for sealer in self.parts.store.config.sealers]

    def _on_peers_changed(self) -> None:
        connected: set[NodeIndex] = set()
        faulty: set[NodeIndex] = set()
        for index, node_id in enumerate(self._sealer_ids()):
            if node_id == self.node_id:
                continue
            if node_id in self.peers.connected:
                connected.add(NodeIndex(index))
            if node_id not in self.peers.connected or self.sync.is_faulty(node_id):
                faulty.add(NodeIndex(index))
        self.post(PeersChanged(connected=frozenset(connected), faulty=frozenset(faulty)))

    def _on_transactions(self) -> None:
        self.sealer.on_transactions()

    async def _report_pool(self) -> None:
        """Every 100 ms the pool's size, as upstream's pool tells it on a clock of its own."""
        while True:
            self.parts.expire()
            self.post(PoolSize(self.parts.pool.total_count))
            await asyncio.sleep(_POOL_REPORT_S)

    @property
    def node_id(self) -> bytes:
        """64-byte public key."""
        return self.identity.key.node_id

    async def submit(self, raw: bytes, *, wait: bool) -> bytes:
        """Admit and gossip a transaction. Raises AdmissionError."""
        if self._is_stopping:
            raise AdmissionError(-1, "the node stops")
        tx = self.parts.pool.admit(raw)
        self.gossip.push(tx.raw)
        self.sealer.on_transactions()
        return await self.waiting.add(tx.tx_hash) if wait else tx.tx_hash
