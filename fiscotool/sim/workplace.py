"""What a replica's own node does for its core: pool, sealer, executor, ledger, block synchronisation, knowledge of peers.

The simplest thing that has the timing and the failure modes of the embedded node: work takes ticks, answers may come after the
view has changed, a crash drops them.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any, Final

from fiscotool.pbft import effects as do
from fiscotool.pbft import events as ev
from fiscotool.pbft.making import make_executed, make_timer_fired, make_verified
from fiscotool.pbft.types import Height, NodeIndex
from fiscotool.sim import chain
from fiscotool.sim.replica import Block, Replica
from fiscotool.sim.world import World

POOL_TICKS: Final = 100
"""How often the pool tells its size (spec 3.x 1.10)."""

LOOK_TICKS: Final = 200
"""How often a replica looks at its peers: connections, transactions, blocks (spec 3.x 1.16)."""

LAG_BLOCKS_MAX: Final = 50
"""A peer this far behind counts as faulty (`c_FaultyNodeBlockDelta`)."""


def apply(world: World, replica: Replica, effect: do.Effect) -> None:
    """Do what the core asks for beyond messages and records."""
    doing = DOING.get(type(effect))
    if doing is not None:
        doing(world, replica, effect)


def _set_timer(world: World, replica: Replica, effect: do.SetTimer) -> None:
    replica.timers[effect.name] = effect.epoch
    spread = int(world.rng.random() * effect.spread_ticks) if effect.spread_ticks else 0
    world.schedule(effect.after_ticks + spread, _fire, (world, replica, replica.life), effect)


def _fire(where: tuple[World, Replica, int], timer: do.SetTimer) -> None:
    world, replica, life = where
    if replica.life == life and replica.timers.get(timer.name) == timer.epoch:
        del replica.timers[timer.name]
        world.post(replica, make_timer_fired(timer.name, timer.epoch))


def _cancel_timer(_world: World, replica: Replica, effect: do.CancelTimer) -> None:
    replica.timers.pop(effect.name, None)


def _verify(world: World, replica: Replica, effect: do.VerifyProposal) -> None:
    proposal = effect.proposal
    is_valid = chain.is_sound(proposal) and (effect.is_certified or replica.on_chain.isdisjoint(chain.transactions_of(proposal)))
    world.post(replica, make_verified(proposal.index, proposal.digest, is_valid), world.pace.verify_ticks)


def _execute(world: World, replica: Replica, effect: do.Execute) -> None:
    proposal = effect.proposal
    parent = Height(proposal.index - 1)
    height = replica.height
    parent_hash = replica.head_hash if parent == height else replica.layers.get(parent)
    if parent_hash is None or parent < height or not chain.is_sound(proposal):
        world.post(replica, make_executed(proposal.index, proposal.digest, None), world.pace.execute_ticks)
        return
    block_hash = chain.execute(proposal, parent_hash)
    if replica.layers:
        replica.layers = {index: value for index, value in replica.layers.items() if index < proposal.index}
    replica.layers[proposal.index] = block_hash
    replica.works[proposal.digest] = proposal
    world.post(replica, make_executed(proposal.index, proposal.digest, block_hash), world.pace.execute_ticks)


def _commit(world: World, replica: Replica, effect: do.CommitBlock) -> None:
    if effect.index <= replica.height:
        return  # Block synchronisation was quicker; its LedgerAdvanced is on the way.
    agreed = replica.works[effect.digest]
    signers = tuple([signer for signer, _ in effect.signatures])
    rules = chain.rules_after(replica.rules, chain.transactions_of(agreed)) if agreed.is_system else replica.rules
    block = Block(agreed, effect.block_hash, signers, rules)
    world.schedule(world.pace.commit_ticks, _write, (world, replica, replica.life), (effect.index, block, False))


def _write(where: tuple[World, Replica, int], what: tuple[Height, Block, bool]) -> None:
    """The disk is done: the block is in the ledger unless the replica died meanwhile or has it already."""
    world, replica, life = where
    height, block, by_sync = what
    if replica.life == life and replica.is_up and replica.height == height - 1:
        world.commit(replica, block, by_sync=by_sync)


def _build_fillers(world: World, replica: Replica, effect: do.BuildFillers) -> None:
    fillers = tuple(chain.make_proposal(index, replica.index, (), salt=f"v{effect.view}") for index in effect.indexes)
    world.post(replica, ev.FillersBuilt(effect.view, fillers))


def _seal_range(world: World, replica: Replica, effect: do.SealRange) -> None:
    replica.range = (effect.first, effect.last, effect.view)
    plan_seal(world, replica)


def _release(world: World, replica: Replica, effect: do.ReleaseTransactions) -> None:
    if effect.proposal.data:
        replica.sealed.difference_update(chain.transactions_of(effect.proposal))
        plan_seal(world, replica)


def _agreed(_world: World, replica: Replica, effect: do.AgreedIndex) -> None:
    replica.told_agreed = effect.index


DOING: Final[dict[type, Callable[[Any, Replica, Any], None]]] = {
    do.SetTimer: _set_timer,
    do.CancelTimer: _cancel_timer,
    do.VerifyProposal: _verify,
    do.Execute: _execute,
    do.CommitBlock: _commit,
    do.BuildFillers: _build_fillers,
    do.SealRange: _seal_range,
    do.ReleaseTransactions: _release,
    do.AgreedIndex: _agreed,
}
"""What a node does for each effect; nothing for a Reject."""


def plan_seal(world: World, replica: Replica) -> None:
    """Look whether to seal after the sealer's pause."""
    world.schedule(world.pace.seal_ticks, _seal, (world, replica), replica.life)


def _seal(where: tuple[World, Replica], life: int) -> None:
    world, replica = where
    first, last, view = replica.range
    if first > last or replica.life != life or replica.state is None or replica.state.view != view:
        return
    sealed = replica.sealed
    urgent = next((tx for tx in replica.urgent if tx not in sealed), None)
    is_system = urgent is not None
    free = (tx for tx in replica.pool if tx not in sealed)
    txs = (urgent,) if urgent is not None else tuple(islice(free, world.pace.block_txs_max))
    if not txs:
        return
    sealed.update(txs)
    replica.range = (first + 1, first if is_system else last, view)  # A system block ends the range (spec 1.8, step 2).
    world.post(replica, ev.Proposed(chain.make_proposal(Height(first), replica.index, txs, salt=f"v{view}l{life}")))
    plan_seal(world, replica)


def tell_pool(world: World, replica: Replica) -> None:
    """The pool's size, every `POOL_TICKS`."""
    if len(replica.pool) != replica.told_pool:
        replica.told_pool = len(replica.pool)
        world.post(replica, ev.PoolSize(replica.told_pool))


def look_around(world: World, replica: Replica) -> None:
    """Peers, gossip and synchronisation, every `LOOK_TICKS`."""
    near = [peer for peer in world.replicas if peer is not replica and world.is_reachable(replica.index, peer.index)]
    sealers = replica.rules.node_count
    connected = frozenset([peer.index for peer in near if peer.index < sealers])
    behind = len(replica.ledger) - LAG_BLOCKS_MAX
    late = frozenset([peer.index for peer in near if len(peer.ledger) < behind])
    gone = frozenset([NodeIndex(i) for i in range(sealers) if i != replica.index and i not in connected])
    if (connected, gone | late) != replica.told_peers:
        replica.told_peers = (connected, gone | late)
        world.post(replica, ev.PeersChanged(connected, gone | late))
    for peer in near:
        if peer.pool and not peer.pool.keys() <= replica.pool.keys():
            replica.admit([tx for tx in peer.pool if tx not in replica.on_chain])
    if replica.pool:
        plan_seal(world, replica)
    _synchronise(world, replica, near)


def _synchronise(world: World, replica: Replica, near: list[Replica]) -> None:
    """`shouldSyncing` (spec 1.16): fetch when a peer is ahead of the ledger and of what consensus brings."""
    assert replica.state is not None
    known = max(len(replica.ledger), replica.told_agreed)
    best, most = None, known
    for peer in near:
        if len(peer.ledger) > most:
            best, most = peer, len(peer.ledger)
    if best is None:
        return
    world.post(replica, ev.SyncTarget(best.height))
    height = replica.height
    for number, block in enumerate(best.ledger[height:], start=1):
        world.schedule(world.pace.sync_ticks * number, _write, (world, replica, replica.life), (Height(height + number), block, True))
