"""What a replica's own node does for its core: pool, sealer, executor, ledger, block synchronisation, knowledge of peers.

The simplest thing that has the timing and the failure modes of the embedded node: work takes ticks, answers may come after the
view has changed, a crash drops them.
"""

from __future__ import annotations

from typing import Final

from fiscotool.pbft import effects as do
from fiscotool.pbft import events as ev
from fiscotool.pbft.messages import Proposal
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
    if isinstance(effect, do.SetTimer):
        replica.timers[effect.name] = effect.epoch
        spread = int(world.rng.random() * effect.spread_ticks) if effect.spread_ticks else 0
        world.schedule(effect.after_ticks + spread, _fire, (world, replica, replica.life), effect)
        return
    match effect:
        case do.CancelTimer(name=name):
            replica.timers.pop(name, None)
        case do.VerifyProposal(proposal=proposal, is_certified=is_certified):
            is_valid = chain.is_sound(proposal) and (is_certified or not _is_on_chain(replica, proposal))
            answer = ev.Verified(proposal.index, proposal.digest, is_valid)
            world.post(replica, answer, world.pace.verify_ticks)
        case do.Execute(proposal=proposal):
            _execute(world, replica, proposal)
        case do.CommitBlock():
            _commit(world, replica, effect)
        case do.BuildFillers(view=view, indexes=indexes):
            fillers = tuple(chain.make_proposal(index, replica.index, (), salt=f"v{view}") for index in indexes)
            world.post(replica, ev.FillersBuilt(view, fillers))
        case do.SealRange(first=first, last=last, view=view):
            replica.range = (first, last, view)
            plan_seal(world, replica)
        case do.ReleaseTransactions(proposal=proposal):
            if proposal.data:
                replica.sealed -= set(chain.transactions_of(proposal))
                plan_seal(world, replica)
        case do.AgreedIndex(index=index):
            replica.told_agreed = index


def plan_seal(world: World, replica: Replica) -> None:
    """Look whether to seal after the sealer's pause."""
    life = replica.life
    world.after(world.pace.seal_ticks, lambda: _seal(world, replica, life))


def _seal(world: World, replica: Replica, life: int) -> None:
    first, last, view = replica.range
    if replica.life != life or replica.state is None or first > last or replica.state.view != view:
        return
    free = [tx for tx in replica.pool if tx not in replica.sealed]
    if not free:
        return
    is_system = [tx for tx in free if tx.startswith(chain.SYSTEM_PREFIX)]
    txs = tuple((is_system or free)[: 1 if is_system else world.pace.block_txs_max])
    replica.sealed.update(txs)
    replica.range = (first + 1, first if is_system else last, view)  # A system block ends the range (spec 1.8, step 2).
    world.post(replica, ev.Proposed(chain.make_proposal(Height(first), replica.index, txs, salt=f"v{view}l{life}")))
    plan_seal(world, replica)


def _fire(where: tuple[World, Replica, int], timer: do.SetTimer) -> None:
    world, replica, life = where
    if replica.life == life and replica.timers.get(timer.name) == timer.epoch:
        del replica.timers[timer.name]
        world.post(replica, ev.TimerFired(timer.name, timer.epoch))


def _is_on_chain(replica: Replica, proposal: Proposal) -> bool:
    return any(tx in replica.on_chain for tx in chain.transactions_of(proposal))


def _execute(world: World, replica: Replica, proposal: Proposal) -> None:
    parent = Height(proposal.index - 1)
    parent_hash = replica.head_hash if parent == replica.height else replica.layers.get(parent)
    if parent_hash is None or parent < replica.height or not chain.is_sound(proposal):
        world.post(replica, ev.Executed(proposal.index, proposal.digest, None), world.pace.execute_ticks)
        return
    block_hash = chain.execute(proposal, parent_hash)
    replica.layers = {index: value for index, value in replica.layers.items() if index < proposal.index}
    replica.layers[proposal.index] = block_hash
    replica.works[proposal.digest] = proposal
    world.post(replica, ev.Executed(proposal.index, proposal.digest, block_hash), world.pace.execute_ticks)


def _commit(world: World, replica: Replica, effect: do.CommitBlock) -> None:
    if effect.index <= replica.height:
        return  # Block synchronisation was quicker; its LedgerAdvanced is on the way.
    agreed = replica.works[effect.digest]
    signers = tuple(signer for signer, _ in effect.signatures)
    rules = chain.rules_after(replica.rules, chain.transactions_of(agreed))
    block = Block(agreed, effect.block_hash, signers, rules)
    life = replica.life

    def write() -> None:
        if replica.life == life and replica.is_up and replica.height == effect.index - 1:
            world.commit(replica, block, by_sync=False)

    world.after(world.pace.commit_ticks, write)


def tell_pool(world: World, replica: Replica) -> None:
    """The pool's size, every `POOL_TICKS`."""
    if len(replica.pool) != replica.told_pool:
        replica.told_pool = len(replica.pool)
        world.post(replica, ev.PoolSize(replica.told_pool))


def look_around(world: World, replica: Replica) -> None:
    """Peers, gossip and synchronisation, every `LOOK_TICKS`."""
    others = [peer for peer in world.replicas if peer.index != replica.index]
    near = [peer for peer in others if world.is_reachable(replica.index, peer.index)]
    sealers = replica.rules.node_count
    connected = frozenset(peer.index for peer in near if peer.index < sealers)
    late = frozenset(peer.index for peer in near if peer.height + LAG_BLOCKS_MAX < replica.height)
    gone = frozenset(NodeIndex(i) for i in range(sealers) if i != replica.index and i not in connected)
    if (connected, gone | late) != replica.told_peers:
        replica.told_peers = (connected, gone | late)
        world.post(replica, ev.PeersChanged(connected, gone | late))
    for peer in near:
        if peer.pool:
            replica.pool.update({tx: None for tx in peer.pool if tx not in replica.on_chain})
    if replica.pool:
        plan_seal(world, replica)
    _synchronise(world, replica, near)


def _synchronise(world: World, replica: Replica, near: list[Replica]) -> None:
    """`shouldSyncing` (spec 1.16): fetch when a peer is ahead of the ledger and of what consensus brings."""
    best = max(near, key=lambda peer: peer.height, default=None)
    assert replica.state is not None
    known = max(replica.height, replica.told_agreed)
    if best is None or best.height <= known:
        return
    world.post(replica, ev.SyncTarget(best.height))
    blocks = best.ledger[replica.height :]
    life = replica.life
    for number, block in enumerate(blocks, start=1):

        def write(block: Block = block, height: int = replica.height + number) -> None:
            if replica.life == life and replica.is_up and replica.height == height - 1:
                world.commit(replica, block, by_sync=True)

        world.after(world.pace.sync_ticks * number, write)
