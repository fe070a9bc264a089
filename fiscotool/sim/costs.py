"""What a block and a change of leader cost, measured: replicas of five protocols run in one priced world (`priced`, `prices`).

For each protocol and size four runs:

    counted      nothing takes time but the network: messages, bytes, operations and delays of blocks made one after the other
    timed        with prices: how long a block takes, alone
    loaded       with prices, always a block waiting: transactions a second
    failure      the leader's power is cut and a block is waiting: what the change costs, how long until everyone has the block
    worst        the same, when everyone had prepared a block that no one committed: PBFT's view changes then carry certificates

Sources: docs/comparison.md states the model and the closed formulas that the counts are tested against.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

from fiscotool.pbft.dialects import DIALECTS, Dialect
from fiscotool.pbft.quorum import faulty_weight_max, quorum_weight
from fiscotool.pbft.rules import Rules
from fiscotool.protocols.registry import CRASH_ONLY, PROTOCOLS
from fiscotool.sim.priced import TICKS_A_SECOND, PricedWorld
from fiscotool.sim.prices import IDEAL, Bill, Item, Prices

MEASURED: Final = ("fisco3", "fisco2", "classic", "raft", "hotstuff")
"""Protocols in the order of the table."""

BLOCKS: Final = 5
"""Blocks counted in `classic`, which takes a checkpoint every fifth; of the others one is like the next."""

LOADED: Final = ((16, 20, 20), (31, 8, 8), (10**9, 3, 4))
"""Up to how many nodes, how many blocks pass before and how many are measured under load: many where they are cheap. `classic` writes in
bursts, for its window moves with checkpoints."""

PIPELINE_BLOCKS: Final = 4
"""How far proposals may run ahead in those protocols that let them."""

TIMERS_MAX: Final = 100
"""Base timeouts of virtual time within which anything must happen."""

QUIET_S: Final = 0.2
"""How long, beside four delays, until the last messages of a block are dealt with."""

NORMAL_KINDS: Final = frozenset({"PrePrepare", "Prepare", "Commit", "CheckPoint", "Generic", "Vote", "AppendEntries", "AppendReply"})
"""Messages that belong to blocks and not to a change of leader."""


@dataclass(frozen=True, slots=True)
class Cost:
    """One protocol at one size.

    A block: messages, kilobytes, signatures made and verified one by one, BLS shares added up and pairings, in the whole group; network
    delays until the first and the last replica has it; milliseconds until a quorum has it, alone. Under load: transactions a second and
    messages a block. `change_…`: replacing a dead leader; `worst_…`: the same with a prepared block in hand. `recovery_s`: from the crash
    until all living replicas have the next block, the wait for the timer included.
    """

    protocol: str
    nodes: int
    tolerates: str
    messages: float
    kilobytes: float
    signed: float
    verified: float
    aggregated: float
    pairings: float
    delays_first: float
    delays_last: float
    latency_ms: float
    txs_per_s: int
    loaded_messages: float
    change_messages: int
    change_kilobytes: float
    change_verified: int
    worst_messages: int
    worst_kilobytes: float
    worst_verified: int
    recovery_s: float


def make_world(dialect: Dialect, nodes: int, prices: Prices, *, seed: int = 1) -> PricedWorld:
    """A started world in which all replicas agree on a view. PBFT keeps its leader while it works, HotStuff changes it with every view."""
    period = 1 if dialect.name == "hotstuff" else 1_000_000
    timeout = int(prices.timeout_s * TICKS_A_SECOND)
    rules = Rules(
        (1,) * nodes,
        leader_period_blocks=period,
        pipeline_blocks=PIPELINE_BLOCKS,
        timeout_base_ticks=timeout,
        checkpoint_resend_ticks=timeout,
    )
    world = PricedWorld(dialect, rules, prices, seed=seed)
    world.start()
    _await(world, lambda: _is_settled(world))
    _quiet(world)
    world.bill = Bill()
    return world


def _await(world: PricedWorld, condition: Callable[[], bool]) -> None:
    """Let time pass until it is so; the protocols promise that it will be."""
    reached = world.run(condition, ticks_max=TIMERS_MAX * world.prices.timeout_s * TICKS_A_SECOND)
    assert reached, f"{world.dialect.name} with {len(world.replicas)} replicas stood still at {world.now} ms"


def _is_settled(world: PricedWorld) -> bool:
    """Whether all living replicas are in one view."""
    states = [replica.state for replica in world.replicas if replica.state is not None]
    return all(state.view == states[0].view and not state.in_timeout for state in states)


def _one_block(world: PricedWorld) -> tuple[float, list[float]]:
    """Make one block; when it was proposed, and when each living replica had it, in ticks."""
    living = [replica for replica in world.replicas if replica.is_up]
    target = max(replica.height for replica in living) + 1
    world.submit()
    _await(world, lambda: target in world.proposed)
    world.rest()
    _await(world, lambda: len(world.written.get(target, ())) >= len(living))
    began = world.proposed[target]
    return began, sorted(world.written[target])


def _quiet(world: PricedWorld) -> None:
    """Let everything arrive that is still under way; the pool is empty, so no timer of a PBFT runs."""
    world.run(lambda: False, ticks_max=(4 * world.prices.delay_high_s + QUIET_S) * TICKS_A_SECOND)


def _counted(dialect: Dialect, nodes: int, prices: Prices) -> tuple[Bill, int, float, float]:
    """Counts of some blocks, how many, and the delays until the first and the last replica has one."""
    sizes = ("header_bytes", "signature_bytes", "share_bytes", "block_txs", "tx_bytes")
    world = make_world(dialect, nodes, replace(IDEAL, **{name: getattr(prices, name) for name in sizes}))
    blocks = BLOCKS if dialect.name == "classic" else 1
    first = last = 0.0
    for _ in range(blocks):
        began, times = _one_block(world)
        first, last = first + times[0] - began, last + times[-1] - began
        _quiet(world)
    unit = blocks * IDEAL.delay_low_s * TICKS_A_SECOND
    return world.bill, blocks, first / unit, last / unit


def _timed(dialect: Dialect, nodes: int, prices: Prices) -> float:
    """Milliseconds until a quorum (in Raft a majority) has a block that is made alone."""
    began, times = _one_block(make_world(dialect, nodes, prices))
    return (times[_quorum(dialect, nodes) - 1] - began) / TICKS_A_SECOND * 1_000


def _loaded(dialect: Dialect, nodes: int, prices: Prices) -> tuple[float, float]:
    """Transactions a second, and messages a block, when there is always a block waiting: between two heights, as a quorum has them."""
    world = make_world(dialect, nodes, prices)
    quorum = _quorum(dialect, nodes)
    world.load()

    def when(height: int) -> float:
        _await(world, lambda: len(world.written.get(height, ())) >= quorum)
        return sorted(world.written[height])[quorum - 1]

    warm, blocks = next((warm, blocks) for size, warm, blocks in LOADED if nodes <= size)
    start = when(warm)
    before = world.bill.total().messages
    took = when(warm + blocks) - start
    messages = (world.bill.total().messages - before) / blocks
    return blocks * prices.block_txs / took * TICKS_A_SECOND, messages


def _quorum(dialect: Dialect, nodes: int) -> int:
    """How many replicas decide."""
    return nodes // 2 + 1 if dialect.name in CRASH_ONLY else quorum_weight(nodes)


@dataclass(frozen=True, slots=True)
class Change:
    """A change of leader: what it took beside blocks, and seconds until every living replica had the next block."""

    spent: Item
    recovery_s: float


def change_leader(dialect: Dialect, nodes: int, prices: Prices, *, is_prepared: bool = False) -> Change:
    """Cut the leader's power with a block waiting; with `is_prepared` all had prepared it and every Commit was lost."""
    world = make_world(dialect, nodes, prices)
    leader = dialect.status(max((replica.state for replica in world.replicas), key=lambda state: state.view)).leader
    old = max(replica.state.view for replica in world.replicas)
    height = max(replica.height for replica in world.replicas)
    if is_prepared:
        world.lost = ("Commit",)
        everyone = nodes * (nodes - 1) + world.bill.item("Commit").messages
        world.submit()
        _await(world, lambda: world.bill.item("Commit").messages >= everyone)
        world.lost = ()
    world.crash(leader)
    began, world.bill = world.now, Bill()
    world.submit()

    def is_changed() -> bool:
        return _is_settled(world) and all(replica.state.view > old for replica in world.replicas if replica.state is not None)

    _await(world, is_changed)
    spent = world.bill.total(without=NORMAL_KINDS)
    _await(world, lambda: len(world.written.get(height + 1, ())) >= nodes - 1)
    return Change(spent, (world.now - began) / TICKS_A_SECOND)


def measure(protocol: str, nodes: int, prices: Prices | None = None) -> Cost:
    """All runs of one protocol at one size."""
    prices, dialect = prices or Prices(), PROTOCOLS[protocol]
    bill, blocks, first, last = _counted(dialect, nodes, prices)
    txs_per_s, loaded_messages = _loaded(dialect, nodes, prices)
    total = bill.total()
    change = change_leader(dialect, nodes, prices)
    worst = change_leader(dialect, nodes, prices, is_prepared=True) if protocol in DIALECTS else change
    faulty = f"{(nodes - 1) // 2} crashes" if protocol in CRASH_ONLY else f"{faulty_weight_max(nodes)} liars"
    return Cost(
        protocol=protocol,
        nodes=nodes,
        tolerates=faulty,
        messages=total.messages / blocks,
        kilobytes=total.size_bytes / blocks / 1_000,
        signed=bill.signed / blocks,
        verified=total.verified / blocks,
        aggregated=bill.aggregated / blocks,
        pairings=bill.pairings / blocks,
        delays_first=round(first, 1),
        delays_last=round(last, 1),
        latency_ms=round(_timed(dialect, nodes, prices), 1),
        txs_per_s=round(txs_per_s),
        loaded_messages=round(loaded_messages, 1),
        change_messages=change.spent.messages,
        change_kilobytes=change.spent.size_bytes / 1_000,
        change_verified=change.spent.verified,
        worst_messages=worst.spent.messages,
        worst_kilobytes=worst.spent.size_bytes / 1_000,
        worst_verified=worst.spent.verified,
        recovery_s=round(change.recovery_s, 3),
    )


def compare(sizes: Iterable[int], prices: Prices | None = None, *, report: Callable[[str, int], object] | None = None) -> list[Cost]:
    """All protocols at all sizes; `report` is told of each before it is measured."""
    found = []
    for nodes in sizes:
        for protocol in MEASURED:
            if report is not None:
                report(protocol, nodes)
            found.append(measure(protocol, nodes, prices))
    return found
