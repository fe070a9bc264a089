"""How the observer of a simulated chain reads it: samples, headers as each replica has them, and what became of transactions.

Rule. A sample holds what RPC of the dialect's nodes tells: 2.x has no changeCycle and tells toView, 3.x the reverse
      (spec 2.x 8.1, 3.x 2.4).

A block's signatures are those with which some replica committed it; a replica that fetched a block has the list of whom it fetched it
from. A signature is valid if it is its signer's over the block's hash (of the published protocol: over the proposal's digest).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from fiscotool.consistency.observations import BlockSeen, Incarnation, Sample, SignatureSeen, TxSeen
from fiscotool.pbft import effects as do
from fiscotool.pbft import events as ev
from fiscotool.pbft.messages import CheckPoint, Commit, Proposal
from fiscotool.pbft.types import Digest, Height, NodeIndex, View
from fiscotool.sim import chain
from fiscotool.sim.cluster import Cluster
from fiscotool.sim.replica import Block, Replica

TICKS_A_SECOND: Final = 1_000
EPOCH_S: Final = 1_700_000_000.0
"""Second 0 of every recording on the wall clock."""

_PIDS_A_NODE: Final = 1_000
_ID_DIGITS: Final = 128
_TICK_S: Final = 1 / TICKS_A_SECOND


def node_id_of(index: int) -> str:
    """A node id whose rank among the others is the replica's index."""
    return f"{index + 1:0{_ID_DIGITS}x}"


class Reader:
    """Asks, and keeps the answers."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.samples: list[Sample] = []
        self.blocks: list[BlockSeen] = []
        self._lives: dict[int, Incarnation] = {}
        self._told = [0] * len(cluster.replicas)
        self._lists: dict[tuple[Digest, tuple[NodeIndex, ...]], tuple[SignatureSeen, ...]] = {}
        self._sealed_ms: dict[Digest, int] = {}
        self._txs: dict[str, TxSeen] = {}
        self._waiting: dict[str, list[str]] = {}
        self._heights_of: dict[int, dict[str, int]] = {}
        self._line = 0

    def _now_s(self) -> float:
        return self._cluster.now / TICKS_A_SECOND

    def line(self) -> int:
        """The next line of the recording."""
        self._line += 1
        return self._line

    def started(self, index: int) -> None:
        """A process began."""
        replica = self._cluster.replicas[index]
        known = self._lives.get(index)
        pid = (index + 1) * _PIDS_A_NODE + replica.life
        if known is None or known.pid != pid:
            self._lives[index] = Incarnation(pid, EPOCH_S + self._now_s())

    def sent(self, txs: Iterable[str]) -> None:
        """Clients send these to the first honest replica that is up."""
        cluster = self._cluster
        up = [replica.index for replica in cluster.replicas if replica.is_up]
        honest = [index for index in up if index not in cluster.strategies]
        if not up:
            return
        node = f"node{(honest or up)[0]}"
        for tx in txs:
            name = hash_of(tx)
            if name not in self._txs:
                self._txs[name] = TxSeen(name, node, self._now_s(), self._now_s(), self.line(), "unknown")
                self._waiting.setdefault(node, []).append(name)

    def transactions(self) -> tuple[TxSeen, ...]:
        """Every transaction sent, and what its node said of it."""
        return tuple(self._txs.values())

    def on_step(self, _node: str, event: ev.Event, _before: Any, _after: Any, effects: tuple[do.Effect, ...]) -> None:
        """Keeps when a block was sealed and how it was signed: both are in its header."""
        if isinstance(event, ev.Proposed):
            self._sealed_ms.setdefault(event.proposal.digest, self._cluster.now)
        elif isinstance(event, ev.FillersBuilt):
            for proposal in event.proposals:
                self._sealed_ms.setdefault(proposal.digest, self._cluster.now)
        for effect in effects:
            if isinstance(effect, do.CommitBlock):
                signers = tuple(signer for signer, _ in effect.signatures)
                over = [effect.block_hash, effect.digest]
                listed = tuple(SignatureSeen(signer, self._is_valid(signer, bytes(signed), over)) for signer, signed in effect.signatures)
                self._lists[(effect.block_hash, signers)] = listed

    def _is_valid(self, signer: NodeIndex, signed: bytes, over: list[Digest]) -> bool:
        """Whether it is what this signer alone could have made: over the block's hash, in `classic` over the proposal's digest."""
        dialect, rules = self._cluster.dialect, self._cluster.replicas[0].genesis_rules
        if not dialect.is_commit_signed:
            return signed == _signature(chain.sign(CheckPoint(View(0), Height(0), over[0], signer), rules))
        allowed = over if dialect.name == "classic" else over[:1]
        return any(signed == _signature(chain.sign(Commit(View(0), Height(0), each, signer), rules)) for each in allowed)

    def ask(self, replica: Replica) -> None:
        """Ask a replica how it stands, and for the blocks it has not told of."""
        self.samples.append(self._sample(replica))
        if replica.is_up:
            self._read_blocks(replica)

    def _sample(self, replica: Replica) -> Sample:
        now_s, name = self._now_s(), f"node{replica.index}"
        if replica.state is None:
            return Sample(name, now_s, now_s + _TICK_S / 2, self.line(), error="refused")
        told, dialect = self._cluster.dialect.status(replica.state), self._cluster.dialect
        is_second = dialect.name == "fisco2"
        rules = replica.state.rules
        near = sum(1 for i in range(rules.node_count) if i == replica.index or self._cluster.is_reachable(replica.index, i))
        return Sample(
            node=name,
            sent_s=now_s,
            got_s=now_s + _TICK_S / 2,
            line=self.line(),
            incarnation=self._lives.get(replica.index),
            height=replica.height,
            block_hash=replica.head_hash.hex(),
            view=told.view,
            timeout=told.in_timeout,
            change_cycle=None if is_second else told.change_cycle,
            leader_index=told.leader,
            node_index=told.me,
            connected_count=near,
            consensus_height=told.height,
            node_count=rules.node_count,
            quorum_weight=told.quorum_weight,
            faulty_weight_max=told.faulty_weight_max,
            is_syncing=replica.state.syncing_until > replica.height,
            pending_count=len(replica.pool),
            to_view=told.to_view if is_second else None,
        )

    def _read_blocks(self, replica: Replica) -> None:
        told, name = self._told[replica.index], f"node{replica.index}"
        if replica.height <= told:
            return
        now_s = self._now_s() + _TICK_S / 2
        for number in range(told + 1, replica.height + 1):
            self.blocks.append(self._block(replica, number, replica.ledger[number - 1], now_s))
        self._told[replica.index] = replica.height
        waiting, where = self._waiting.get(name, []), self._heights_of.get(replica.index, {})
        for tx in [tx for tx in waiting if tx in where]:
            waiting.remove(tx)
            seen = self._txs[tx]
            self._txs[tx] = TxSeen(tx, name, seen.sent_s, now_s, seen.line, "committed", block_number=where[tx], status=0)

    def _executed(self, replica: Replica, number: int, proposal: Proposal) -> tuple[str, ...]:
        """Hashes of the transactions in a block: one that stands in a lower block is left out when it is executed.

        A block of which nothing is left is no filler: it is shown with a transaction that had no effect.
        """
        where = self._heights_of.setdefault(replica.index, {})
        listed = [hash_of(tx) for tx in chain.transactions_of(proposal)]
        fresh = tuple(tx for tx in listed if where.setdefault(tx, number) == number)
        return fresh if fresh or not listed else (hash_of(f"{listed[0]} again at {number}"),)

    def _block(self, replica: Replica, number: int, block: Block, seen_s: float) -> BlockSeen:
        before = replica.ledger[number - 2] if number > 1 else None
        rules = before.rules if before is not None else replica.genesis_rules
        parent = before.block_hash if before is not None else chain.genesis_hash()
        # A header names its own parent, which on a fork is not the block below it here.
        below = (
            {each.ledger[number - 2].block_hash for each in self._cluster.replicas if each.height >= number - 1} if number > 1 else set()
        )
        parent = next((each for each in (parent, *sorted(below)) if chain.execute(block.proposal, each) == block.block_hash), parent)
        bare = tuple(SignatureSeen(signer, is_valid=True) for signer in block.signers)
        sealed_ms = self._sealed_ms.setdefault(block.proposal.digest, self._cluster.now)
        return BlockSeen(
            node=f"node{replica.index}",
            seen_s=seen_s,
            line=self.line(),
            number=number,
            block_hash=block.block_hash.hex(),
            recomputed_hash=chain.execute(block.proposal, parent).hex(),
            parent_number=number - 1,
            parent_hash=parent.hex(),
            sealer=block.proposal.sealer,
            sealer_list=tuple(node_id_of(index) for index in range(rules.node_count)),
            weights=rules.weights,
            signatures=self._lists.get((block.block_hash, block.signers), bare),
            timestamp_ms=int(EPOCH_S * 1000) + sealed_ms,
            tx_hashes=self._executed(replica, number, block.proposal),
            state_root=block.block_hash.hex(),
        )


def hash_of(tx: str) -> str:
    """Hash of a transaction, in hex."""
    return chain.digest_of(tx.encode()).hex()


def _signature(message: Any) -> bytes:
    return bytes(message.signature)
