"""The node as its RPC sees it: reads of ledger, pool and replica, and the way in for transactions.

Sources: spec 3.x 2.4; bcos-pbft `PBFTImpl::asyncGetConsensusStatus`; recordings v3/OBSERVED.md section 4 (connectedNodeList is a count).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from fiscotool.devnet.contracts import ConsensusStatus, ExecutedBlock, Executor, LedgerReader, PeerStatus, Pool
from fiscotool.devnet.narration2 import Narrator2
from fiscotool.devnet.node import Node
from fiscotool.devnet.settings import Settings

__all__ = ["Facade"]

_NOT_A_SEALER: Final = 2**64 - 1


class Facade:
    """A node's face (`contracts.NodeFacade`, `contracts.NodeFacade2`)."""

    def __init__(self, node: Node) -> None:
        self._node = node

    @property
    def ledger(self) -> LedgerReader:
        """Durable data."""
        return self._node.parts.store

    @property
    def executor(self) -> Executor:
        """For call and eth_call."""
        return self._node.parts.executor

    @property
    def pool(self) -> Pool:
        """For pending counts and lookups."""
        return self._node.parts.pool

    @property
    def node_id(self) -> bytes:
        """64-byte public key."""
        return self._node.node_id

    @property
    def settings(self) -> Settings:
        """The node's parsed configuration."""
        return self._node.settings

    def consensus_status(self) -> ConsensusStatus:
        """A consistent snapshot of the replica."""
        told = self._node.dialect.status(self._node.driver.state)
        return ConsensusStatus(
            node_index=_NOT_A_SEALER if told.me is None else int(told.me),
            leader_index=int(told.leader),
            faulty_weight_max=int(told.faulty_weight_max),
            quorum_weight=int(told.quorum_weight),
            is_sealer=told.me is not None,
            height=int(told.height),
            head_hash=told.block_hash,
            timeout=told.in_timeout,
            change_cycle=told.change_cycle,
            view=int(told.view),
            connected_count=len(self._node.peers.connected) + 1,
            to_view=int(told.to_view),
            views=tuple(self._node.narrator.views.items()) if isinstance(self._node.narrator, Narrator2) else (),
        )

    def watch(self, on_block: Callable[[ExecutedBlock], None], on_dropped: Callable[[bytes], None]) -> None:
        """Tell of every durable block, and of every hash that leaves the pool without one."""
        self._node.waiting.watchers.append((on_block, on_dropped))

    def backed_height(self) -> int:
        """The height that more than f sealers claim."""
        return self._node.sync.backed_height()

    def pending(self) -> list[bytes]:
        """Raw transactions that wait in the pool."""
        return self._node.parts.pending()

    def sync_status(self) -> tuple[bool, int, bytes]:
        """(is syncing, highest known height, its hash)."""
        return self._node.sync.is_syncing, self._node.sync.highest, self._node.sync.highest_hash

    def peers(self) -> list[PeerStatus]:
        """Connected peers that have told their height."""
        found: list[PeerStatus] = []
        for node_id, link in self._node.peers.connected.items():
            view = self._node.sync.peers.get(node_id)
            height, head_hash, genesis_hash = (view.number, view.head_hash, view.genesis_hash) if view else (0, b"", b"")
            found.append(PeerStatus(node_id, link.p2p_id, link.endpoint, height, head_hash, genesis_hash, *link.names))
        return found

    async def submit(self, raw: bytes, *, wait: bool) -> bytes:
        """Admit and gossip a transaction. Raises AdmissionError."""
        return await self._node.submit(raw, wait=wait)
