"""Block synchronisation: says how high this node is, hears how high the others are, and fetches what consensus did not bring.

Rule 1. A status goes to all peers when the head moved (at most every 200 ms) and every 2 s. Peers of another genesis block are ignored.
Rule 2. Fetching starts when somebody is higher than this node and consensus is not about to bring that height itself (`agreed`, which
        the core sets back to its committed height while it is in timeout): at once when more than a shard is missing, else after 400 ms.
Rule 3. Requests are shards of at most 8 blocks, at most 2 in flight a peer, 1,600 ms each, at most 256 blocks ahead of the head. The
        other side answers with what fits into 4 MiB.
Rule 4. Nothing is believed: `synced.check_block` judges each block before it is written. A peer that sent a wrong one is not asked
        again for 10 s; one that claims a height and never serves it is not asked for 2, 4, … 60 s.
        The core hears of heights only that more than f sealers claim (upstream: that any one peer claims).
Rule 5. A sealer is faulty for the core when no status of it is known or it is more than 50 blocks behind (`BlockSync::faultyNode`).

Sources: spec 3.x 1.10, 1.16; bcos-sync `BlockSync.cpp`, `BlockSyncConfig.cpp`, `state/DownloadingQueue.cpp`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, Protocol

from google.protobuf.message import DecodeError

from fiscotool.devnet.contracts import LedgerStore
from fiscotool.devnet.frames import Module
from fiscotool.devnet.log import NodeLog, short_hash
from fiscotool.devnet.proto import node_pb2
from fiscotool.devnet.sync_plan import SHARD_BLOCKS, PeerView, missing_shards

__all__ = ["FAULTY_BLOCKS", "BlockSync"]

FAULTY_BLOCKS: Final = 50
_LOOP_S: Final = 0.2
_STATUS_S_MAX: Final = 2.0
_PATIENCE_S: Final = 0.4
_EXECUTED_PATIENCE_S: Final = 2.0
_SHARDS_A_PEER: Final = 2
_REQUEST_S: Final = 1.6
_AHEAD_BLOCKS_MAX: Final = 256
_RESPONSE_BYTES_MAX: Final = 4 * 1024 * 1024
_DOWNLOADED_BYTES_MAX: Final = 64 * 1024 * 1024
_WRONG_BLOCK_S: Final = 10.0
_SILENT_S_MAX: Final = 60.0
_STATUS, _REQUEST, _RESPONSE = 0, 1, 2
_DIGEST_BYTES: Final = 32


class _Links(Protocol):
    def send(self, node_id: bytes, module: int, payload: bytes) -> bool: ...

    def broadcast(self, module: int, payload: bytes, to: Iterable[bytes] | None = None) -> None: ...

    def is_choked(self, node_id: bytes) -> bool: ...


class BlockSync:
    """Keeps this node's ledger up with its peers.

    `apply_block(raw, number)` checks and writes one block and says whether it was good; `on_change` is called when what the core wants
    to know of peers may have changed; `on_target(n)` when blocks up to `n` are being fetched; `claimed` is what this node says of its
    head, `serve` the encoded block it gives to others or None, `served_until` the last one; `executed` the height consensus has executed.
    """

    def __init__(
        self,
        store: LedgerStore,
        links: _Links,
        log: NodeLog,
        clock: Callable[[], float],
        *,
        apply_block: Callable[[bytes, int], Awaitable[bool]],
        on_change: Callable[[], None],
        on_target: Callable[[int], None],
        claimed: Callable[[], tuple[int, bytes]],
        serve: Callable[[int], bytes | None],
        executed: Callable[[], int],
        served_until: Callable[[], int] | None = None,
    ) -> None:
        self.peers: dict[bytes, PeerView] = {}
        self.agreed = store.height
        self.highest = store.height
        self.highest_hash = store.head_hash
        self._store = store
        self._links = links
        self._log = log
        self._clock = clock
        self._apply_block = apply_block
        self._on_change = on_change
        self._on_target = on_target
        self._claimed = claimed
        self._serve_block = serve
        self._served_until = served_until or (lambda: store.height)
        self._executed = executed
        self._behind_since_s: float | None = None
        self._behind_at = store.height
        self._downloaded: dict[int, tuple[bytes, bytes]] = {}
        self._wake = asyncio.Event()
        self._told_height = -1
        self._told_at_s = 0.0
        self._target = 0

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            self._tell()
            self._expire()
            self._request()
            await self._apply()
            self._wake.clear()
            if self._next_is_here():
                continue
            try:
                async with asyncio.timeout(_LOOP_S):
                    await self._wake.wait()
            except TimeoutError:
                continue

    @property
    def is_syncing(self) -> bool:
        """Whether this node is behind and fetching (RPC `isSyncing`)."""
        return min(self._target, self.backed_height()) > self._store.height

    def on_head(self) -> None:
        """The ledger's head moved."""
        if self._store.height > self.highest:
            self.highest, self.highest_hash = self._store.height, self._store.head_hash

    def on_connected(self, node_id: bytes) -> None:
        """Greet a new peer with our status."""
        self._links.send(node_id, Module.BLOCK_SYNC, self._status())

    def on_lost(self, node_id: bytes) -> None:
        """Forget what a lost peer said."""
        if self.peers.pop(node_id, None) is not None:
            self._on_change()

    def is_faulty(self, node_id: bytes) -> bool:
        """Rule 5."""
        peer = self.peers.get(node_id)
        return peer is None or peer.number + FAULTY_BLOCKS < self._store.height

    def on_frame(self, node_id: bytes, payload: bytes) -> None:
        """A message of a peer. Garbage is logged and dropped."""
        try:
            message = node_pb2.BlockSyncMessage.FromString(payload)
        except DecodeError:
            self._log.limited("warning", "bad sync message", "BLOCK SYNC", "a peer sent what is no sync message", peer=node_id.hex()[:8])
            return
        if message.packetType == _STATUS:
            self._on_status(node_id, message)
        elif message.packetType == _REQUEST:
            self._serve(node_id, message.number, message.size)
        elif message.packetType == _RESPONSE:
            self._on_response(node_id, message)

    def _status(self) -> bytes:
        height, head_hash = self._claimed()
        return node_pb2.BlockSyncMessage(
            packetType=_STATUS, number=height, hash=head_hash, genesisHash=self._store.genesis_hash
        ).SerializeToString()

    def _tell(self) -> None:
        now_s = self._clock()
        if self._store.height != self._told_height or now_s - self._told_at_s >= _STATUS_S_MAX:
            self._told_height, self._told_at_s = self._store.height, now_s
            self._links.broadcast(Module.BLOCK_SYNC, self._status())

    def _on_status(self, node_id: bytes, message: node_pb2.BlockSyncMessage) -> None:
        if message.genesisHash != self._store.genesis_hash or len(message.hash) != _DIGEST_BYTES or message.number < 0:
            self._log.limited("warning", "foreign status", "BLOCK SYNC", "a status of another chain", peer=node_id.hex()[:8])
            return
        was_faulty = self.is_faulty(node_id)
        peer = self.peers.get(node_id)
        if peer is None:
            self.peers[node_id] = PeerView(message.number, message.hash, message.genesisHash)
        else:
            peer.number, peer.head_hash = message.number, message.hash
        if message.number > self.highest:
            self.highest, self.highest_hash = message.number, message.hash
        if was_faulty != self.is_faulty(node_id):
            self._on_change()
        if self._should_fetch():
            self._wake.set()

    def _should_fetch(self) -> bool:
        """Rule 2. Being behind by a block or two for a moment is ordinary: then the same block is on its way through consensus."""
        lead = self.highest - max(self._store.height, self.agreed)
        if lead <= 0:
            self._behind_since_s = None
            return False
        now_s = self._clock()
        if self._behind_since_s is None or self._store.height != self._behind_at:
            self._behind_since_s, self._behind_at = now_s, self._store.height
        # What is executed here only lacks checkpoints; but those who have committed it do not send theirs again.
        patience_s = _EXECUTED_PATIENCE_S if self.highest <= self._executed() else _PATIENCE_S
        return lead > SHARD_BLOCKS or now_s - self._behind_since_s >= patience_s

    def _expire(self) -> None:
        now_s = self._clock()
        for peer in self.peers.values():
            late = [start for start, deadline_s in peer.asked.items() if deadline_s < now_s]
            for start in late:
                del peer.asked[start]
            if late:
                peer.silences += 1
                peer.not_before_s = now_s + min(2.0**peer.silences, _SILENT_S_MAX)

    def _request(self) -> None:
        """Give each peer that has something we need up to two shards (Rule 3)."""
        if not self._should_fetch() or sum(len(raw) for raw, _ in self._downloaded.values()) > _DOWNLOADED_BYTES_MAX:
            return
        now_s = self._clock()
        height = self._store.height
        able = [(node_id, peer) for node_id, peer in self.peers.items() if peer.number > height and peer.not_before_s <= now_s]
        wanted = self._wanted(min(self.highest, height + _AHEAD_BLOCKS_MAX))
        for start, count in wanted:
            free = [one for one in able if len(one[1].asked) < _SHARDS_A_PEER and one[1].number >= start]
            if not free:
                break
            node_id, peer = min(free, key=lambda one: (len(one[1].asked), one[1].shards_asked))
            peer.shards_asked += 1
            size = min(count, peer.number - start + 1)
            peer.asked[start] = now_s + _REQUEST_S
            self._target = max(self._target, start + size - 1)
            self._log.info("BLOCK SYNC", "requestBlocks", **{"from": start, "to": start + size - 1, "peer": node_id.hex()[:8] + "..."})
            message = node_pb2.BlockSyncMessage(packetType=_REQUEST, number=start, size=size)
            self._links.send(node_id, Module.BLOCK_SYNC, message.SerializeToString())
        target = min(self._target, self.backed_height())
        if target > height:
            self._on_target(target)

    def backed_height(self) -> int:
        """The height that more than f sealers claim to have reached: a single liar must not make the core wait for blocks that are not."""
        sealers = self._store.config.sealers
        claims = sorted((self.peers[one.node_id].number for one in sealers if one.node_id in self.peers), reverse=True)
        faulty_max = (len(sealers) - 1) // 3
        return claims[faulty_max] if len(claims) > faulty_max else 0

    def _wanted(self, last: int) -> list[tuple[int, int]]:
        asked = {height for peer in self.peers.values() for start in peer.asked for height in range(start, start + SHARD_BLOCKS)}
        return missing_shards(self._store.height + 1, last, asked.union(self._downloaded))

    def _serve(self, node_id: bytes, start: int, size: int) -> None:
        if self._links.is_choked(node_id):
            return  # Who does not read what it asked for gets no more of it.
        blocks: list[bytes] = []
        size_bytes = 0
        for number in range(max(start, 1), min(start + max(0, min(size, SHARD_BLOCKS)), self._served_until() + 1)):
            if (block := self._serve_block(number)) is None:
                break
            blocks.append(block)
            size_bytes += len(blocks[-1])
            if size_bytes > _RESPONSE_BYTES_MAX:
                break
        message = node_pb2.BlockSyncMessage(packetType=_RESPONSE, number=start, size=len(blocks), blocksData=blocks)
        self._links.send(node_id, Module.BLOCK_SYNC, message.SerializeToString())

    def _on_response(self, node_id: bytes, message: node_pb2.BlockSyncMessage) -> None:
        peer = self.peers.get(node_id)
        if peer is None or message.number not in peer.asked:
            return  # Late or not asked for.
        del peer.asked[message.number]
        if message.blocksData:
            peer.silences = 0
        else:
            peer.silences += 1
            peer.not_before_s = self._clock() + min(2.0**peer.silences, _SILENT_S_MAX)
        for offset, raw in enumerate(message.blocksData[:SHARD_BLOCKS]):
            self._downloaded.setdefault(message.number + offset, (raw, node_id))
        self._wake.set()

    def _next_is_here(self) -> bool:
        return self._store.height + 1 in self._downloaded

    async def _apply(self) -> None:
        """Write what is here, in order; ask for more as room appears."""
        while True:
            height = self._store.height
            for number in [number for number in self._downloaded if number <= height]:
                del self._downloaded[number]
            found = self._downloaded.pop(height + 1, None)
            if found is None:
                return
            raw, node_id = found
            if await self._apply_block(raw, height + 1):
                if self._store.height % SHARD_BLOCKS == 0:
                    self._log.info("BLOCK SYNC", "BlockSync: applyBlock", number=self._store.height, hash=short_hash(self._store.head_hash))
                    self._expire()
                    self._request()
                continue
            self._distrust(node_id)
            return

    def _distrust(self, node_id: bytes) -> None:
        """Rule 4: drop everything this peer sent and leave it alone for a while."""
        self._downloaded = {number: one for number, one in self._downloaded.items() if one[1] != node_id}
        peer = self.peers.get(node_id)
        if peer is not None:
            peer.not_before_s = self._clock() + _WRONG_BLOCK_S
        self._log.warning("BLOCK SYNC", "a peer sent a block that is not valid", peer=node_id.hex()[:8] + "...")
