"""FISCO's own view-change unit scenario (observables section 7): ten nodes, ledger at 11, 12 and 14 prepared on five of them."""

from __future__ import annotations

from fiscotool.pbft import events as ev
from fiscotool.pbft.messages import NewView, PreparedCertificate
from fiscotool.pbft.rules import Rules
from fiscotool.pbft.state import put_slot, slot_at
from fiscotool.pbft.types import Height, NodeIndex
from fiscotool.sim import chain
from fiscotool.sim.cluster import Cluster


def test_all_reach_14_with_an_empty_13() -> None:
    rules = Rules((1,) * 10, leader_period_blocks=100)
    cluster = Cluster(rules, seed=4)
    cluster.start()
    cluster.run(4_000)
    while max(cluster.heights) < 11:
        cluster.submit(f"t{cluster.now}")
        cluster.run(200)
    cluster.run(10_000)
    assert set(cluster.heights) == {11}
    assert cluster.violations == []

    for replica in cluster.replicas[:5]:
        state = replica.state
        assert state is not None
        for index in (12, 14):
            block = chain.make_proposal(Height(index), NodeIndex(0), (f"p{index}",))
            signed = tuple((NodeIndex(i), chain.proof_signature(rules, NodeIndex(i), state.view, index, block.digest)) for i in range(7))
            cert = PreparedCertificate(state.view, block, signed)
            slot = slot_at(state, Height(index))._replace(cert=cert, voted_view=state.view, voted_digest=block.digest)
            state = put_slot(state, slot)
        replica.state = state
    issued: list[NewView] = []
    for replica in cluster.replicas:
        assert replica.state is not None
        replica.state = replica.state._replace(timer_on=True)
        cluster.post(replica, ev.TimerFired(ev.TimerName.VIEW, replica.state.timer_epoch))
    cluster.listeners.append(
        lambda _node, _event, _before, _after, effects: issued.extend(
            effect.message for effect in effects if hasattr(effect, "message") and isinstance(effect.message, NewView)
        )
    )
    cluster.run(5_000)

    assert set(cluster.heights) == {14}
    blocks = [block.proposal for block in cluster.replicas[0].ledger[11:]]
    assert [chain.transactions_of(block) for block in blocks] == [("p12",), (), ("p14",)]
    assert [entry.index for entry in issued[0].preprepares] == [12, 13, 14]
    for replica in cluster.replicas:
        assert replica.state is not None
        assert replica.state.view > 0
        assert replica.state.to_view == replica.state.view
        assert replica.state.change_cycle == 0
    assert cluster.violations == []
