"""What a block and a change of leader cost, in one stated model, for the protocols here and two that are only calculated.

`fisco3`, `fisco2`, `classic` are measured: a simulated chain makes blocks, then loses its leader, and every message is counted and weighed.
`raft` and `hotstuff` (chained) are formulas from their papers, marked `is_formula`; no replica of them runs here.

The model. Every message has a header of 120 bytes and, but in Raft, a signature of 65 (HotStuff votes: a BLS share of 96). A block has
1,000 transactions of 200 bytes. All links have the same delay and work takes next to none, so latency counts network delays ("phases").
Signing takes 0.05 ms, verifying 0.1 ms, verifying a BLS aggregate 1.5 ms, on one core; a replica has 1 Gbit/s. Throughput is that of
the busiest replica, which does all this for every block and has no other limits: an upper bound that compares protocols, not a
forecast.

Sources: docs/pbft.md; Ongaro & Ousterhout, Raft, USENIX ATC 2014; Yin et al., HotStuff, PODC 2019.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fiscotool.pbft.dialects import DIALECTS, Dialect
from fiscotool.pbft.messages import (
    CheckPoint,
    Commit,
    Message,
    NewView,
    Prepare,
    PreparedCertificate,
    PreparedProposalResponse,
    PrePrepare,
    ViewChange,
)
from fiscotool.pbft.quorum import faulty_weight_max, quorum_weight
from fiscotool.pbft.rules import Rules
from fiscotool.sim.cluster import Cluster
from fiscotool.sim.network import Weather
from fiscotool.sim.world import Pace

HEADER_BYTES: Final = 120
SIGNATURE_BYTES: Final = 65
SHARE_BYTES: Final = 96
BLOCK_TXS: Final = 1_000
BLOCK_BYTES: Final = 200 * BLOCK_TXS
SIGN_S: Final = 0.05e-3
VERIFY_S: Final = 0.1e-3
VERIFY_AGGREGATE_S: Final = 1.5e-3
BANDWIDTH_BYTES_S: Final = 125e6

DELAY_TICKS: Final = 10
"""One network delay of a measured run; large against the single tick that a replica's own work takes."""

MEASURED: Final = ("fisco3", "fisco2", "classic")
CALCULATED: Final = ("raft", "hotstuff")


@dataclass(frozen=True, slots=True)
class Cost:
    """One protocol at one size.

    Per block: messages, bytes, signatures made and verified in the whole group; network delays until the first and the last replica
    has the block. `change_…`: what replacing a dead leader takes, without the block that follows. `txs_per_s` is the bound.
    """

    protocol: str
    nodes: int
    tolerates: str
    messages: float
    kilobytes: float
    signed: float
    verified: float
    delays_first: float
    delays_last: float
    change_messages: float
    change_kilobytes: float
    txs_per_s: int
    is_formula: bool


@dataclass(slots=True)
class Meter:
    """Weighs what is sent."""

    messages: int = 0
    size_bytes: int = 0
    verified: int = 0
    signed: int = 0

    def weigh(self, message: Message, copies: int) -> None:
        """A `Cluster.tap`."""
        self.messages += copies
        self.size_bytes += copies * size_bytes(message)
        self.verified += copies * signatures_in(message)
        self.signed += 1


def size_bytes(message: Message) -> int:
    """Bytes of a message in the model."""
    total = HEADER_BYTES + SIGNATURE_BYTES * signatures_in(message)
    match message:
        case PrePrepare(proposal=proposal) if proposal.data and not proposal.is_filler:
            total += BLOCK_BYTES
        case PreparedProposalResponse(certificate=PreparedCertificate()):
            total += BLOCK_BYTES
        case NewView(view_changes=view_changes):
            total += HEADER_BYTES * len(view_changes)
        case _:
            pass
    return total


def signatures_in(message: Message) -> int:
    """Signatures that its receiver verifies, its own included."""
    match message:
        case ViewChange(prepared=prepared, stable=stable):
            return 1 + sum(len(cert.signatures) for cert in prepared) + len(stable)
        case NewView(view_changes=view_changes):
            return 1 + sum(signatures_in(vc) for vc in view_changes)
        case _:
            return 1


def measure(dialect: Dialect, nodes: int, *, blocks: int = 5) -> Cost:
    """Simulate `blocks` blocks one after the other, then the loss of the leader with a transaction waiting."""
    rules = Rules((1,) * nodes, leader_period_blocks=1_000_000)
    pace = Pace(seal_ticks=1, verify_ticks=0, execute_ticks=0, commit_ticks=0)
    cluster = Cluster(rules, seed=1, dialect=dialect, weather=Weather(DELAY_TICKS, DELAY_TICKS), pace=pace)
    cluster.start()
    cluster.run(3_500)
    meter = Meter()
    first = last = 0
    for number in range(blocks):
        cluster.run(DELAY_TICKS * 10)
        height, began = max(cluster.heights), cluster.now
        cluster.submit(f"t{number}")
        cluster.tap = meter.weigh
        cluster.run(5_000, until=lambda height=height: max(cluster.heights) > height)  # type: ignore[misc]
        first += cluster.now - began
        cluster.run(5_000, until=lambda height=height: min(cluster.heights) > height)  # type: ignore[misc]
        last += cluster.now - began
        cluster.run(DELAY_TICKS * 2)
        cluster.tap = None
    change = _lose_leader(cluster)
    per_s = _throughput(nodes, meter, blocks)
    return Cost(
        protocol=dialect.name,
        nodes=nodes,
        tolerates=f"{faulty_weight_max(nodes)} liars",
        messages=meter.messages / blocks,
        kilobytes=meter.size_bytes / blocks / 1_000,
        signed=meter.signed / blocks,
        verified=meter.verified / blocks,
        delays_first=round(first / blocks / DELAY_TICKS, 1),
        delays_last=round(last / blocks / DELAY_TICKS, 1),
        change_messages=change.messages,
        change_kilobytes=change.size_bytes / 1_000,
        txs_per_s=per_s,
        is_formula=False,
    )


def _lose_leader(cluster: Cluster) -> Meter:
    """Everything that is sent until the others are in a common later view."""
    states = [replica.state for replica in cluster.replicas]
    leader = cluster.dialect.status(states[0]).leader
    meter = Meter()
    cluster.crash(leader)
    views = [replica.state.view for replica in cluster.replicas if replica.state is not None]

    def weigh(message: Message, copies: int) -> None:
        if not isinstance(message, PrePrepare | Prepare | Commit | CheckPoint):
            meter.weigh(message, copies)

    cluster.tap = weigh
    cluster.submit("after")

    def is_changed() -> bool:
        rest = [replica.state for replica in cluster.replicas if replica.state is not None]
        return all(state.view > max(views) and not state.in_timeout for state in rest)

    cluster.run(20_000, until=is_changed)
    cluster.tap = None
    return meter


def _throughput(nodes: int, meter: Meter, blocks: int) -> int:
    """Transactions a second of the busiest replica, the leader: it sends the block to all, and verifies a replica's share of the votes."""
    verify_s = meter.verified / blocks / nodes * VERIFY_S
    sign_s = meter.signed / blocks / nodes * SIGN_S
    send_s = ((nodes - 1) * BLOCK_BYTES + (meter.size_bytes / blocks - (nodes - 1) * BLOCK_BYTES) / nodes) / BANDWIDTH_BYTES_S
    return round(BLOCK_TXS / (verify_s + sign_s + send_s))


def calculate(protocol: str, nodes: int) -> Cost:
    """Raft or chained HotStuff, in the steady state and for one change of leader, by formula."""
    others = nodes - 1
    if protocol == "raft":
        sent = others * (HEADER_BYTES + BLOCK_BYTES) + others * HEADER_BYTES
        busy_s = others * (HEADER_BYTES + BLOCK_BYTES) / BANDWIDTH_BYTES_S
        tolerates, signed, verified, first, last = f"{(nodes - 1) // 2} crashes", 0, 0, 2, 3
        change_bytes = 2 * others * HEADER_BYTES
    else:
        quorum = quorum_weight(nodes)
        certificate = SHARE_BYTES + nodes // 8 + 1
        sent = others * (HEADER_BYTES + BLOCK_BYTES + certificate) + others * (HEADER_BYTES + SHARE_BYTES)
        busy_s = others * (HEADER_BYTES + BLOCK_BYTES + certificate) / BANDWIDTH_BYTES_S + quorum * SIGN_S + 2 * VERIFY_AGGREGATE_S
        tolerates, signed, verified, first, last = f"{faulty_weight_max(nodes)} liars", nodes, nodes, 7, 8
        change_bytes = others * (HEADER_BYTES + SHARE_BYTES + certificate)
    change = 2 * others if protocol == "raft" else others
    return Cost(
        protocol=protocol,
        nodes=nodes,
        tolerates=tolerates,
        messages=2 * others,
        kilobytes=sent / 1_000,
        signed=signed,
        verified=verified,
        delays_first=first,
        delays_last=last,
        change_messages=change,
        change_kilobytes=change_bytes / 1_000,
        txs_per_s=round(BLOCK_TXS / busy_s),
        is_formula=True,
    )


def compare(sizes: list[int]) -> list[Cost]:
    """All protocols at all sizes, measured ones first."""
    found = [measure(DIALECTS[name], nodes) for nodes in sizes for name in MEASURED]
    return sorted([*found, *(calculate(name, nodes) for nodes in sizes for name in CALCULATED)], key=lambda cost: cost.nodes)
