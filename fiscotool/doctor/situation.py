"""What was seen of a chain at one moment: values only, so that conclusions can be tested without a chain."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from fiscotool.chain.model import Generation
from fiscotool.rpc.replies_consensus import ConsensusStatus

ProcessState = Literal["running", "paused", "stopped", "elsewhere"]
"""As nodes.process; "elsewhere" for a node whose host is another machine."""


@dataclass(frozen=True, slots=True)
class NodeSeen:
    """One node. `error` is what RPC came to where there is no `status`; `later` is a second status, `Situation.apart_s` after the first.

    `up_s` is the age of the process. `peer_ids` are the node ids it is connected to, None where it did not say. `pending` are the
    transactions in its pool, `pending_later` at the second look. `last_words` come from nohup.out or the log of a node that does not run;
    `trouble` are lines of a running node's log that tell of refused connections. `holders` says who has the ports of a stopped node.
    """

    name: str
    node_id: str
    state: ProcessState
    up_s: float | None = None
    error: str = ""
    status: ConsensusStatus | None = None
    later: ConsensusStatus | None = None
    pending: int | None = None
    pending_later: int | None = None
    peer_ids: frozenset[str] | None = None
    syncing: bool | None = None
    version: str = ""
    disk_free_bytes: int | None = None
    last_words: tuple[str, ...] = ()
    trouble: tuple[str, ...] = ()
    holders: tuple[str, ...] = ()

    @property
    def answers(self) -> bool:
        """Whether its RPC told of consensus."""
        return self.status is not None

    @property
    def now(self) -> ConsensusStatus | None:
        """The newest status."""
        return self.later or self.status


@dataclass(frozen=True, slots=True)
class Situation:
    """A chain at one moment. `weights` maps sealers' node ids to their weights, by the nodes' own word or else the genesis.

    `hashes` maps names to the block hash at `common_height`, the highest all answering nodes have. `newest_block_ms` is the newest
    block's time, `now_ms` this machine's clock, both in ms since the epoch; None and 0 where no block was seen.
    """

    generation: Generation
    nodes: tuple[NodeSeen, ...]
    weights: dict[str, int]
    apart_s: float = 0.0
    common_height: int | None = None
    hashes: dict[str, str] = field(default_factory=dict)
    newest_block_ms: int | None = None
    now_ms: int = 0

    @property
    def answering(self) -> tuple[NodeSeen, ...]:
        """Nodes whose RPC told of consensus."""
        return tuple(node for node in self.nodes if node.answers)

    def name_of(self, node_id: str) -> str:
        """The node's name, or the first digits of its id."""
        return next((node.name for node in self.nodes if node.node_id == node_id), f"{node_id[:8]}…")
