"""Chained HotStuff as published (PODC'19); the numbers are the paper's sections and algorithms. Replica 0 of four leads views 4, 8, …

Views are the paper's node heights (algorithm 4). Votes of view v go to the leader of v + 1, which is (v + 1) mod 4.
"""

from __future__ import annotations

from fiscotool.pbft.effects import CommitBlock, SealRange, SetTimer, VerifyProposal
from fiscotool.pbft.events import PoolSize, Proposed, TimerName, Verified
from fiscotool.pbft.messages import Proposal
from fiscotool.pbft.types import Height, NodeIndex, View
from fiscotool.protocols.hotstuff.messages import AskNodes, Certificate, Generic, NewView, Node, SendNodes, Vote, make_node
from fiscotool.protocols.registry import HOTSTUFF
from tests.protocols.hand import Hand, block, digest, order_of, refused, said, sent_to, started


def replica(me: int = 0) -> Hand:
    return started(HOTSTUFF, me=me)


def certificate(node: Node, signers: tuple[int, ...] = (1, 2, 3)) -> Certificate:
    return Certificate(node.view, node.digest, tuple(NodeIndex(each) for each in signers))


def child(justify: Certificate, view: int, proposal: Proposal | None = None, *, height: int = 0) -> Node:
    index = proposal.index if proposal is not None else height
    return make_node(View(view), Height(index), justify, proposal)


def propose(node: Node) -> Generic:
    return Generic(node.view, NodeIndex(node.view % 4), node)


def show(hand: Hand, node: Node) -> list[object]:
    """The proposal arrives and its block is found valid."""
    effects = hand.hear(propose(node))
    for effect in tuple(effects):
        if isinstance(effect, VerifyProposal):
            effects += hand.do(Verified(effect.proposal.index, effect.proposal.digest, is_valid=True))
    return list(effects)


def grow(hand: Hand, count: int, *, first: int = 1) -> list[Node]:
    """A branch of blocks in views that follow each other, shown one after the other."""
    nodes: list[Node] = []
    justify = hand.state.genesis
    for number in range(count):
        node = child(justify, first + number, block(number + 1))
        show(hand, node)
        nodes.append(node)
        justify = certificate(node)
    return nodes


def test_algorithm_3_a_replica_votes_to_the_next_leader_after_making_the_vote_durable() -> None:
    hand = replica()
    effects = show(hand, child(hand.state.genesis, 1, block(1)))
    assert order_of(effects) == ["Remember", "Send"]  # type: ignore[arg-type]
    assert sent_to(effects, Vote) == [2]  # type: ignore[arg-type]
    assert hand.stand.voted_view == 1
    assert hand.state.view == 2, "who voted goes on"


def test_section_4_4_one_vote_a_view_also_after_a_restart() -> None:
    hand = replica()
    show(hand, child(hand.state.genesis, 1, block(1)))
    other = child(hand.state.genesis, 1, block(1, "other"))
    assert not said(show(hand, other), Vote)  # type: ignore[arg-type]
    assert not said(show(hand.restart(), other), Vote)  # type: ignore[arg-type]


def test_only_the_leader_of_a_view_proposes_in_it() -> None:
    hand = replica()
    node = child(hand.state.genesis, 1, block(1))
    assert refused(hand.hear(Generic(View(1), NodeIndex(2), node)))
    assert hand.state.tree == ()


def test_section_4_2_a_certificate_is_of_a_quorum_of_distinct_replicas() -> None:
    hand = replica()
    first = child(hand.state.genesis, 1, block(1))
    show(hand, first)
    for signers in ((1, 2), (1, 1, 2), (3, 2, 1), (1, 2, 7)):
        assert refused(hand.hear(propose(child(certificate(first, signers), 2, block(2))))), signers


def test_a_node_is_named_by_all_that_is_in_it() -> None:
    hand = replica()
    node = child(hand.state.genesis, 1, block(1))
    forged = Node(node.view, node.index, node.justify, block(1, "other"), node.digest)
    assert refused(hand.hear(propose(forged)))


def test_section_5_a_chain_of_two_locks_and_a_chain_of_three_commits() -> None:
    hand = replica()
    nodes = grow(hand, 3)
    assert hand.state.locked == certificate(nodes[0])
    assert hand.state.log == ()
    fourth = child(certificate(nodes[2]), 4, block(4))
    effects = hand.hear(propose(fourth))
    assert hand.state.log == (nodes[0],)
    written = [effect for effect in hand.settle(effects) if isinstance(effect, CommitBlock)]
    assert [(effect.index, [signer for signer, _ in effect.signatures]) for effect in written] == [(1, [1, 2, 3])]


def test_algorithm_4_a_view_left_out_in_the_chain_of_three_does_not_commit() -> None:
    hand = replica()
    nodes = grow(hand, 2)
    third = child(certificate(nodes[1]), 5, block(3))
    hand.hear(propose(third))
    hand.hear(propose(child(certificate(third), 6, block(4))))
    assert hand.state.log == ()
    assert hand.state.locked == certificate(nodes[1]), "it locks all the same"


def lock_on_first(hand: Hand) -> list[Node]:
    """Two nodes, and a third that locks the first."""
    nodes = grow(hand, 3)
    assert hand.state.locked == certificate(nodes[0])
    return nodes


def test_algorithm_1_safe_node_against_the_lock_only_with_a_newer_certificate() -> None:
    """Liveness rule: a quorum that certified something newer cannot have let the locked node be committed."""
    hand = replica()
    lock_on_first(hand)
    stale = child(hand.state.genesis, 4, block(1, "fork"))
    assert not said(show(hand, stale), Vote)  # type: ignore[arg-type]
    other = child(hand.state.genesis, 2, block(1, "fork"))
    hand.hear(propose(other))
    newer = child(certificate(other), 5, block(2, "fork"))
    hand.do(PoolSize(1))
    hand.time_out()
    assert hand.state.view == 5
    assert said(show(hand, newer), Vote)  # type: ignore[arg-type]


def test_algorithm_1_safe_node_on_the_locked_branch() -> None:
    hand = replica()
    nodes = lock_on_first(hand)
    assert said(show(hand, child(certificate(nodes[2]), 4, block(4))), Vote)  # type: ignore[arg-type]


def test_algorithm_3_the_next_leader_makes_a_certificate_of_n_minus_f_votes_and_proposes_on_it() -> None:
    hand = replica(me=2)
    hand.do(PoolSize(1))
    node = child(hand.state.genesis, 1, block(1))
    show(hand, node)
    for sender in (0, 0, 1):
        hand.hear(Vote(View(1), NodeIndex(sender), Height(1), node.digest, b"share%d" % sender))
    assert hand.state.high.view == 0, "two of four, one of them twice"
    effects = hand.hear(Vote(View(1), NodeIndex(3), Height(1), node.digest, b"share3"))
    assert (hand.state.high.view, hand.state.high.signers) == (1, (0, 1, 3))
    assert hand.state.high.proofs == (b"share0", b"share1", b"share3")
    assert SealRange(Height(2), Height(2), View(2)) in effects
    made = said(hand.do(Proposed(block(2))), Generic)
    assert made[0].node.justify == hand.state.high
    assert not said(hand.do(Proposed(block(2, "again"))), Generic), "once a view"
    assert not said(hand.restart().do(Proposed(block(2, "again"))), Generic), "also after a restart"


def test_votes_for_another_view_or_another_collector_do_not_count() -> None:
    hand = replica(me=2)
    node = child(hand.state.genesis, 1, block(1))
    show(hand, node)
    for sender in (0, 1, 3):
        hand.hear(Vote(View(2), NodeIndex(sender), Height(1), node.digest))
    assert hand.state.high.view == 0


def test_a_liar_that_votes_for_the_node_in_another_view_spoils_no_certificate() -> None:
    hand = replica(me=2)
    node = child(hand.state.genesis, 1, block(1))
    show(hand, node)
    hand.hear(Vote(View(5), NodeIndex(0), Height(1), node.digest))
    for sender in (1, 2, 3):
        hand.hear(Vote(View(1), NodeIndex(sender), Height(1), node.digest))
    assert (hand.state.high.view, hand.state.high.signers) == (1, (1, 2, 3))


def test_only_the_first_vote_of_a_replica_in_a_view_counts() -> None:
    hand = replica(me=2)
    node = child(hand.state.genesis, 1, block(1))
    show(hand, node)
    for name in range(50):
        hand.hear(Vote(View(1), NodeIndex(0), Height(1), digest(str(name))))
    assert len(hand.state.votes) == 1


def test_section_4_2_next_view_interrupt_tells_the_next_leader_the_highest_certificate() -> None:
    hand = replica()
    nodes = grow(hand, 2)
    effects = hand.do(PoolSize(1))
    timers = [effect for effect in effects if isinstance(effect, SetTimer)]
    assert [(timer.name, timer.after_ticks) for timer in timers] in ([], [(TimerName.VIEW, 3000)])
    effects = hand.time_out()
    assert hand.state.view == 4
    told = said(effects, NewView)
    assert sent_to(effects, NewView) == [0]
    assert (told[0].justify, told[0].vote.digest) == (certificate(nodes[0]), nodes[1].digest), "with the vote no one collected"


def test_section_6_a_leader_without_the_certificate_of_the_view_before_waits_for_n_minus_f_new_views() -> None:
    hand = replica()
    nodes = grow(hand, 2)
    hand.do(PoolSize(1))
    hand.time_out()
    for sender in (0, 1):
        hand.hear(NewView(View(4), NodeIndex(sender), Height(0), certificate(nodes[0]), None))
    assert SealRange(Height(2), Height(2), View(4)) not in hand.effects
    effects = hand.hear(NewView(View(4), NodeIndex(3), Height(0), certificate(nodes[1]), None))
    assert hand.state.high == certificate(nodes[1])
    assert SealRange(Height(3), Height(3), View(4)) in effects, "on the highest certificate that it was told"


def test_a_certificate_whose_collector_is_down_is_made_of_the_votes_in_new_views() -> None:
    """The rule that keeps four replicas with one down alive (pacemaker, rule 3)."""
    hand = replica()
    nodes = grow(hand, 2)
    hand.do(PoolSize(1))
    hand.time_out()
    for sender in (0, 1, 2):
        vote = Vote(View(2), NodeIndex(sender), Height(2), nodes[1].digest)
        hand.hear(NewView(View(4), NodeIndex(sender), Height(0), certificate(nodes[0]), vote))
    assert (hand.state.high.view, hand.state.high.digest) == (2, nodes[1].digest)


def test_who_sees_f_plus_1_others_in_a_later_view_follows() -> None:
    hand = replica()
    for sender, view in ((1, 9), (1, 11)):
        hand.hear(NewView(View(view), NodeIndex(sender), Height(0), hand.state.genesis, None))
    assert hand.state.view == 1, "one may lie"
    effects = hand.hear(NewView(View(9), NodeIndex(2), Height(0), hand.state.genesis, None))
    assert hand.state.view == 9
    assert said(effects, NewView)[0].view == 9


def test_timeouts_grow_with_views_that_fail_in_a_row_and_not_after_a_certificate() -> None:
    hand = replica()
    hand.do(PoolSize(1))
    hand.effects.clear()
    for _ in range(3):
        hand.time_out()
    waits = [effect.after_ticks for effect in hand.effects if isinstance(effect, SetTimer) and effect.name is TimerName.VIEW]
    assert waits == [4500, 6750, 10125]
    hand.hear(propose(child(hand.state.genesis, 1, block(1))))
    node = next(node for node in hand.state.tree)
    hand.hear(NewView(View(4), NodeIndex(1), Height(0), certificate(node), None))
    assert hand.state.change_cycle == 0


def test_section_6_missing_nodes_are_fetched_from_who_stands_on_them() -> None:
    ahead, behind = replica(me=1), replica(me=0)
    nodes = grow(ahead, 3)
    last = child(certificate(nodes[2]), 4, block(4))
    effects = behind.hear(propose(last))
    assert sent_to(effects, AskNodes) == []
    other = child(certificate(nodes[2]), 5, block(4))
    effects = behind.hear(propose(other))
    asked = said(effects, AskNodes)
    assert sent_to(effects, AskNodes) == [1]
    answer = said(ahead.hear(asked[0]), SendNodes)
    assert answer[0].nodes == tuple(nodes)
    behind.hear(answer[0])
    assert [node.view for node in (*behind.state.log, *behind.state.tree)] == [1, 2, 3, 5]
    assert behind.state.high == certificate(nodes[2])
    forged = SendNodes(View(1), NodeIndex(1), Height(0), (child(certificate(nodes[2], (1, 2)), 6, block(4)),))
    assert refused(behind.hear(forged))


def test_a_waiting_block_is_carried_on_without_blocks_until_it_is_committed() -> None:
    hand = replica(me=2)
    node = child(hand.state.genesis, 1, block(1))
    show(hand, node)
    effects = []
    for sender in (0, 1, 3):
        effects += hand.hear(Vote(View(1), NodeIndex(sender), Height(1), node.digest))
    made = said(effects, Generic)
    assert [(each.node.proposal, each.node.index) for each in made] == [(None, 1)]
