"""One simulated replica: the core, a disk that survives a crash, and the memory that does not.

Durable: vote records, executed records, the ledger with its signature lists. Volatile: the core's state, timers, execution layers, the
pool's marks, everything on its way. Effects are done in order; a crash may fall between any two of them (`budget`), so what
follows a `Persist` may be lost while the record is kept, and never the other way round.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from fiscotool.pbft.dialects import FISCO3, Dialect
from fiscotool.pbft.effects import ExecutedRecord, StandRecord, VoteRecord
from fiscotool.pbft.events import TimerName
from fiscotool.pbft.messages import Proposal
from fiscotool.pbft.rules import Rules
from fiscotool.pbft.types import Digest, Height, NodeIndex
from fiscotool.sim.chain import SYSTEM_PREFIX, genesis_hash, transactions_of

NOBODY: Final[tuple[frozenset[NodeIndex], frozenset[NodeIndex]]] = (frozenset(), frozenset())
"""(connected, faulty) of a replica that was told of no peers."""


@dataclass(frozen=True, slots=True)
class Block:
    """A block in a ledger: what was executed, its hash, who signed it, and the rules after it."""

    proposal: Proposal
    block_hash: Digest
    signers: tuple[NodeIndex, ...]
    rules: Rules


@dataclass(slots=True)
class Replica:
    """A replica's two memories. `ledger[k]` is block k+1. `state` is of the dialect's own type.

    `pool` has its transactions in the order they came, `urgent` those of them that are system transactions.
    """

    index: NodeIndex
    genesis_rules: Rules
    dialect: Dialect = FISCO3
    ledger: list[Block] = field(default_factory=list)
    votes: dict[Height, VoteRecord] = field(default_factory=dict)
    executed: dict[Height, ExecutedRecord] = field(default_factory=dict)
    stand: StandRecord | None = None
    state: Any = None
    life: int = 0
    connects_at: int = 0
    layers: dict[Height, Digest] = field(default_factory=dict)
    works: dict[Digest, Proposal] = field(default_factory=dict)
    on_chain: set[str] = field(default_factory=set)
    pool: dict[str, None] = field(default_factory=dict)
    urgent: dict[str, None] = field(default_factory=dict)
    sealed: set[str] = field(default_factory=set)
    timers: dict[TimerName, int] = field(default_factory=dict)
    range: tuple[int, int, int] = (1, 0, 0)
    told_agreed: int = 0
    told_pool: int = -1
    told_peers: tuple[frozenset[NodeIndex], frozenset[NodeIndex]] = NOBODY

    @property
    def is_up(self) -> bool:
        """Whether the process lives."""
        return self.state is not None

    @property
    def height(self) -> Height:
        """Number of the last block."""
        return Height(len(self.ledger))

    @property
    def head_hash(self) -> Digest:
        """Hash of the last block."""
        return self.ledger[-1].block_hash if self.ledger else genesis_hash()

    @property
    def rules(self) -> Rules:
        """Rules for the next block."""
        return self.ledger[-1].rules if self.ledger else self.genesis_rules

    @property
    def me(self) -> NodeIndex | None:
        """Own index under these rules: a sealer of weight 0 would still be one, so membership is by list length."""
        return self.index if self.index < self.rules.node_count else None

    def boot(self) -> None:
        """Start a life from what is durable."""
        self.life += 1
        more = {} if self.stand is None else {"stand": self.stand}
        self.state = self.dialect.initial_state(
            rules=self.rules,
            me=self.me,
            height=self.height,
            block_hash=self.head_hash,
            votes=tuple(self.votes.values()),
            executed=tuple(self.executed.values()),
            **more,
        )

    def crash(self) -> None:
        """Lose everything volatile."""
        self.state = None
        self.layers = {}
        self.works = {}
        self.pool = {}
        self.urgent = {}
        self.sealed = set()
        self.timers = {}
        self.range = (1, 0, 0)
        self.told_agreed = 0
        self.told_pool = -1
        self.told_peers = NOBODY

    def admit(self, txs: Iterable[str]) -> None:
        """Take transactions into the pool, behind those it has."""
        for tx in txs:
            self.pool[tx] = None
            if tx.startswith(SYSTEM_PREFIX):
                self.urgent[tx] = None

    def append(self, block: Block) -> None:
        """Write a block and forget what it settles."""
        if block.rules is not self.rules:
            self.told_peers = NOBODY
        self.ledger.append(block)
        txs = transactions_of(block.proposal)
        self.on_chain.update(txs)
        for tx in txs:
            self.pool.pop(tx, None)
            self.urgent.pop(tx, None)
        height = len(self.ledger)
        kept_above = height - self.dialect.retained_blocks
        for index in [*self.votes]:
            if index <= kept_above:
                del self.votes[index]
        for index in [*self.executed]:
            if index <= height:
                del self.executed[index]
        for digest, work in [*self.works.items()]:
            if work.index <= height:
                del self.works[digest]
        if self.layers:
            is_mine = self.layers.get(Height(height), block.block_hash) == block.block_hash
            self.layers = {index: value for index, value in self.layers.items() if index > height} if is_mine else {}
