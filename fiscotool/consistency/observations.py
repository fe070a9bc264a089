"""The words in which a run is judged: who the nodes are, what each was seen to say and when, what was broken, what was sent.

Rule 1. A value read over RPC was true at some instant between `sent_s` and `got_s`; only samples with a.got_s < b.sent_s are
        ordered in time (docs/observer.md).
Rule 2. Everything here is plain, frozen data. Hashes are lower-case hex without 0x, node ids 128 hex digits; times are seconds of
        the observer's monotonic clock, counted from the start of the recording; wall-clock times say so in their name.
Rule 3. Cryptographic facts (a recomputed hash, a verified signature) arrive computed: this room has no cryptography.

Sources: docs/observer.md; FISCO BCOS 3.x RPC objects (spec 3.x 2.4).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class NodeIdentity:
    """One node of the chain under observation. `name` is unique in a run (node0 …); `host` and ports as in its config."""

    name: str
    node_id: str
    host: str = "127.0.0.1"
    rpc_port: int = 0
    p2p_port: int = 0
    web3_port: int = 0
    directory: str = ""
    byzantine: str = ""


LEADER_STAYS_BLOCKS: Final = 1 << 62
"""The leader period of a protocol in which only the view says who leads (`classic`)."""


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What was observed, with what, and the command that reproduces it.

    `started_epoch_s`: the observer's wall clock (seconds since 1970) at second 0 of the recording; with it block timestamps can
    be judged. `clock_error_s`: how far apart the clocks of nodes and observer may be; None: 1 s if all nodes share one host,
    otherwise unknown and timestamps are not judged against the observer's clock. `generation`: 2 or 3, of FISCO BCOS: rules about
    views, leaders and timers are different in 2.x. `protocol`: which PBFT an embedded chain runs, a name of `pbft.dialects`; in
    `classic` the leader never moves with the height, which is a period of LEADER_STAYS_BLOCKS. `delay_min_s`, `delay_max_s`: bounds of the
    time any message between nodes takes while the network is not disturbed by a fault of the recording; None: not known.
    """

    nodes: tuple[NodeIdentity, ...]
    chain_id: str = ""
    group_id: str = ""
    engine: str = ""
    node_version: str = ""
    tool_version: str = ""
    command: str = ""
    drill: str = ""
    started_wall: str = ""
    leader_period_blocks: int = 1
    timeout_base_s: float = 3.0
    min_seal_time_s: float = 0.5
    config: dict[str, Any] = field(default_factory=dict)
    started_epoch_s: float | None = None
    clock_error_s: float | None = None
    generation: int = 3
    protocol: str = "fisco3"
    delay_min_s: float | None = None
    delay_max_s: float | None = None


@dataclass(frozen=True, slots=True)
class Incarnation:
    """One life of a node's process: pid and start time. Views restart at 0 with a new incarnation, heights do not."""

    pid: int
    started: float


@dataclass(frozen=True, slots=True)
class Sample:
    """One poll of one node. A field is None when it was not answered. `line` is its line in the recording, from 1.

    `to_view`: the view the node asks for; only 2.x tells it. `known_height`: the highest height block sync has heard of.
    """

    node: str
    sent_s: float
    got_s: float
    line: int
    incarnation: Incarnation | None = None
    error: str = ""
    height: int | None = None
    block_hash: str | None = None
    view: int | None = None
    timeout: bool | None = None
    change_cycle: int | None = None
    leader_index: int | None = None
    node_index: int | None = None
    connected_count: int | None = None
    consensus_height: int | None = None
    node_count: int | None = None
    quorum_weight: int | None = None
    faulty_weight_max: int | None = None
    is_syncing: bool | None = None
    pending_count: int | None = None
    to_view: int | None = None
    known_height: int | None = None


@dataclass(frozen=True, slots=True)
class SignatureSeen:
    """One entry of a header's signatureList. `is_valid`: it verifies over the block hash under the key of `sealer_index`.

    The key is that of the block's own sealer list or, for a filler block whose list is empty (spec 3.x 1.11), of the nearest
    earlier block's list.
    """

    sealer_index: int
    is_valid: bool


@dataclass(frozen=True, slots=True)
class BlockSeen:
    """A block as one node told it. `recomputed_hash` is the hash of the fields told; empty when a field was missing."""

    node: str
    seen_s: float
    line: int
    number: int
    block_hash: str
    recomputed_hash: str
    parent_number: int | None
    parent_hash: str
    sealer: int
    sealer_list: tuple[str, ...]
    weights: tuple[int, ...]
    signatures: tuple[SignatureSeen, ...]
    timestamp_ms: int
    tx_hashes: tuple[str, ...]
    txs_root: str = ""
    receipts_root: str = ""
    state_root: str = ""
    gas_used: str = ""
    tx_hashes_known: bool = True


@dataclass(frozen=True, slots=True)
class TxSeen:
    """One transaction a client sent. `outcome`: committed (a receipt came), refused (the node said no), unknown (no answer)."""

    tx_hash: str
    node: str
    sent_s: float
    got_s: float
    line: int
    outcome: str
    block_number: int | None = None
    status: int | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class FaultSeen:
    """One fault from injection to heal, on one node. `healed_s` is None while it lasts (or the recording ends).

    `kind`: kill, stop, restart, pause, wipe (data directory removed: the height may fall once), or a network fault (cut, delay …),
    which proves nothing about the process. `injected_s` is when it had taken effect, `healed_s` when the repair was done.
    `role`: what the node was when it was chosen (leader, follower). A fault that is not `confirmed` had no effect and is not judged.
    """

    fault_id: str
    kind: str
    node: str
    injected_s: float
    line: int
    healed_s: float | None = None
    role: str = ""
    confirmed: bool = True
    detail: str = ""


@dataclass(frozen=True, slots=True)
class EventSeen:
    """One line of a node's log that says something about agreement (docs/logs.md has the kinds).

    `at_s` is the node's clock, as seconds of the recording, as far as that clock and the observer's agree. `view` is that of what the line
    is about, `own_index` the node's position among the sealers, `own_view`, `head` and `change_cycle` its own state; a value the line does
    not tell is None.
    """

    node: str
    at_s: float
    line: int
    kind: str
    height: int | None = None
    view: int | None = None
    to_view: int | None = None
    digest: str = ""
    sender: int | None = None
    weight: int | None = None
    own_index: int | None = None
    text: str = ""
    own_view: int | None = None
    head: int | None = None
    change_cycle: int | None = None


@dataclass(frozen=True, slots=True)
class Observations:
    """Everything a recording says, sorted by time. `problems` are lines that could not be read, in words."""

    run: RunInfo
    samples: tuple[Sample, ...] = ()
    blocks: tuple[BlockSeen, ...] = ()
    txs: tuple[TxSeen, ...] = ()
    faults: tuple[FaultSeen, ...] = ()
    ended_s: float | None = None
    problems: tuple[str, ...] = ()
    events: tuple[EventSeen, ...] = ()
