"""A neighbour that has a certificate, a key and bad intentions: greets like a node, then sends whatever a test tells it to."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Self

from fiscotool.chain.model import NodeHome
from fiscotool.devnet.der import certificate_of
from fiscotool.devnet.links import Identity
from fiscotool.devnet.log import NodeLog
from fiscotool.devnet.peers import Peers
from fiscotool.devnet.settings import read_settings
from fiscotool.ledger.crypto import KeyPair


class Neighbour(threading.Thread):
    """Lives in a thread of its own, in the place of the node `home`. `frames` is what the others sent it, newest last (a thousand at most)."""

    def __init__(self, home: NodeHome, genesis_hash: bytes, *, key: KeyPair | None = None, listen: bool = True) -> None:
        super().__init__(daemon=True)
        settings = read_settings(home.directory / "config.ini", home.directory / "config.genesis")
        self.key = key or KeyPair.from_pem(settings.private_key.read_bytes())
        self.settings = replace(settings, log_path=settings.directory / "log-of-the-hostile-one")
        self.genesis_hash = genesis_hash
        self.frames: list[tuple[bytes, int, bytes]] = []
        self.sent_count = 0
        self._listen = listen
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over: asyncio.Event | None = None
        self._ready = threading.Event()
        self.peers: Peers

    def on_peer_connected(self, node_id: bytes) -> None:
        pass

    def on_peer_lost(self, node_id: bytes) -> None:
        pass

    def on_peer_frame(self, node_id: bytes, module: int, payload: bytes) -> None:
        self.frames.append((node_id, module, payload))
        del self.frames[:-1000]

    def run(self) -> None:
        asyncio.run(self._live())

    async def _live(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        log = NodeLog(self.settings.log_path)
        identity = Identity(
            key=self.key,
            group_id=self.settings.group_id,
            chain_id=self.settings.chain_id,
            genesis_hash=self.genesis_hash,
            certificate=certificate_of(self.settings.node_cert),
            listen_port=self.settings.p2p.port,
            message_bytes_max=self.settings.message_bytes_max,
        )
        self.peers = Peers(self.settings, identity, self, log, time.monotonic)
        if self._listen:
            await self.peers.listen()
        else:
            self.peers.set_nodes(self.settings.nodes)
        if self._listen:
            self.peers.start()
        self._ready.set()
        await self._over.wait()
        await self.peers.stop()
        log.close()

    def do(self, work: Callable[[Peers], Awaitable[None]], *, within_s: float) -> None:
        """Run a coroutine of this neighbour to its end."""

        async def task() -> None:
            await work(self.peers)

        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(task(), self._loop).result(within_s)

    def flood(self, module: int, payload: bytes, *, for_s: float) -> None:
        """Send a frame to everybody again and again, as fast as they read."""

        async def work(peers: Peers) -> None:
            end_s, is_full = time.monotonic() + for_s, False
            while time.monotonic() < end_s:
                for _ in range(0 if is_full else max(1, min(64, (1 << 20) // len(payload)))):
                    peers.broadcast(module, payload)
                    self.sent_count += 1
                # Not more than they read, or they would drop this neighbour for not reading its own socket.
                is_full = any(link.unsent_bytes > 1 << 20 for link in peers.connected.values())
                await asyncio.sleep(0.001 if is_full else 0)

        self.do(work, within_s=for_s + 60)

    def __enter__(self) -> Self:
        self.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        if self._loop is not None and self._over is not None:
            self._loop.call_soon_threadsafe(self._over.set)
        self.join(10)
