"""FISCO BCOS 2.x, rule by rule; the numbers in the names are sections of spec 2.x. Replica 0 of four, ledger at 10, view 0.

Leader of height 11 in view v: (10 + v) mod 4, so replica 2 in view 0, replica 3 in view 1, replica 0 in view 2.
"""

from __future__ import annotations

import pytest

from fiscotool.pbft.dialects import FISCO2
from fiscotool.pbft.effects import (
    BuildFillers,
    CommitBlock,
    Execute,
    Persist,
    RejectReason,
    ReleaseTransactions,
    SealRange,
    SetTimer,
    VerifyProposal,
    VoteRecord,
)
from fiscotool.pbft.events import Executed, FillersBuilt, LedgerAdvanced, Proposed, SyncTarget, TimerFired, TimerName, Verified
from fiscotool.pbft.fisco2.state import Phase, leader
from fiscotool.pbft.fisco2.timers import timeout_ticks
from fiscotool.pbft.messages import Commit, NewView, Prepare, PrePrepare, ViewChange
from fiscotool.pbft.rules import Rules
from fiscotool.pbft.types import Height, NodeIndex, View
from tests.pbft.dialect_hand import DialectHand, result_of, started
from tests.pbft.hand import block, d


def proposal(name: str, *, view: int = 0, index: int = 11, is_empty: bool = False) -> PrePrepare:
    """A proposal of its view's leader."""
    sender = NodeIndex((index - 1 + view) % 4)
    return PrePrepare(View(view), Height(index), d(name), sender, block(index, name, is_filler=is_empty))


def sign(sender: int, name: str, *, view: int = 0, index: int = 11) -> Prepare:
    """A Sign for the result of the block called `name`."""
    return Prepare(View(view), Height(index), result_of(d(name)), NodeIndex(sender), b"s%d" % sender)


def commit(sender: int, name: str, *, view: int = 0, index: int = 11) -> Commit:
    """A Commit for it."""
    return Commit(View(view), Height(index), result_of(d(name)), NodeIndex(sender), b"s%d" % sender)


def view_change(sender: int, view: int, *, index: int = 10, ledger: str = "head") -> ViewChange:
    """A ViewChange: never with certificates."""
    return ViewChange(View(view), Height(index), d(ledger), NodeIndex(sender))


def execute(hand: DialectHand, name: str) -> None:
    """Get the leader's block of the present view accepted and executed; a leader proposes itself."""
    message = proposal(name, view=hand.state.view)
    if message.sender == hand.state.me:
        hand.give(Proposed(message.proposal))
    else:
        hand.hear(message)


def enter_view(hand: DialectHand, view: int) -> None:
    """View changes of three others."""
    hand.hear(*(view_change(sender, view) for sender in (1, 2, 3) if sender != hand.state.me))
    if hand.state.view != view:
        hand.hear(view_change(0, view))
    while hand.state.view != view and hand.state.to_view < view:
        hand.expire()
    assert hand.state.view == view


def test_1_1_the_leader_is_view_plus_highest_number_mod_n() -> None:
    hand = started(FISCO2)
    assert leader(hand.state) == 2
    enter_view(hand, 1)
    assert leader(hand.state) == 3
    hand.expire()
    assert leader(hand.state) is None


@pytest.mark.parametrize(("n", "wanted"), [(1, 1), (2, 2), (3, 3), (4, 3), (5, 4), (6, 5), (7, 5), (10, 7)])
def test_1_1_min_valid_nodes_is_n_minus_f(n: int, wanted: int) -> None:
    assert started(FISCO2, weights=(1,) * n).state.quorum_weight == wanted


def test_1_2_a_sign_names_the_hash_after_execution() -> None:
    hand = started(FISCO2)
    execute(hand, "A")
    assert [message.digest for message in hand.said(Prepare)] == [result_of(d("A"))]
    assert hand.complaints == []


def test_1_2_a_view_change_carries_no_certificate_and_new_view_does_not_exist() -> None:
    hand = started(FISCO2)
    execute(hand, "A")
    hand.hear(sign(1, "A"), sign(2, "A"))
    hand.expire()
    assert [message.prepared for message in hand.said(ViewChange)] == [()]
    hand.hear(NewView(View(1), Height(10), NodeIndex(1), ()))
    assert hand.refusals() == [RejectReason.NOT_IN_DIALECT]


def test_1_4_a_leader_seals_and_a_stale_block_gives_its_transactions_back() -> None:
    hand = started(FISCO2, me=2)
    assert [(effect.first, effect.last, effect.view) for effect in hand.of(SealRange)] == [(11, 11, 0)]
    hand.give(Proposed(block(11, "A")))
    assert len(hand.said(PrePrepare)) == 1
    hand.give(Proposed(block(11, "B")))
    assert [effect.proposal.digest for effect in hand.of(ReleaseTransactions)] == [d("B")]


def test_1_4_a_locked_leader_proposes_the_locked_block_with_the_new_view_and_its_own_index() -> None:
    hand = started(FISCO2)
    execute(hand, "A")
    hand.hear(sign(1, "A"), sign(2, "A"))
    enter_view(hand, 2)
    again = [
        message for message in (effect.message for effect in hand.effects if hasattr(effect, "message")) if isinstance(message, PrePrepare)
    ]
    assert [(message.view, message.sender, message.digest) for message in again] == [(2, 0, d("A"))]
    assert again[0].proposal.sealer == 0
    assert hand.complaints == []


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        pytest.param(proposal("A", index=10), RejectReason.STALE_INDEX, id="3: a height of the past"),
        pytest.param(
            PrePrepare(View(0), Height(11), d("A"), NodeIndex(1), block(11, "A")), RejectReason.NOT_THE_LEADER, id="6: not the leader"
        ),
        pytest.param(
            PrePrepare(View(0), Height(11), d("B"), NodeIndex(2), block(11, "A")), RejectReason.MISMATCHED, id="another block inside"
        ),
        pytest.param(proposal("A", index=99), RejectReason.TOO_FAR, id="far ahead"),
    ],
)
def test_1_5_a_proposal_is_refused(message: PrePrepare, reason: RejectReason) -> None:
    hand = started(FISCO2)
    hand.hear(message)
    assert hand.refusals() == [reason]


def test_1_5_a_replica_that_knows_no_leader_uses_no_proposal() -> None:
    hand = started(FISCO2)
    hand.expire()
    hand.hear(proposal("A"))
    assert hand.refusals() == [RejectReason.NOT_THE_LEADER]


def test_1_5_the_lock_refuses_other_blocks_but_not_empty_ones() -> None:
    hand = started(FISCO2)
    execute(hand, "A")
    hand.hear(sign(1, "A"), sign(2, "A"))
    enter_view(hand, 1)
    hand.hear(proposal("B", view=1))
    assert hand.refusals() == [RejectReason.LOCKED]
    hand.hear(proposal("E", view=1, is_empty=True))
    assert [message.view for message in hand.said(ViewChange)] == [2]


def test_1_5_a_future_proposal_is_kept_and_handled_when_its_view_comes() -> None:
    hand = started(FISCO2)
    hand.hear(proposal("A", view=1))
    assert hand.said(Prepare) == []
    enter_view(hand, 1)
    assert hand.state.raw is not None
    assert hand.state.executed_hash == result_of(d("A"))


def test_1_5_a_future_proposal_of_the_next_height_is_handled_after_the_block() -> None:
    hand = started(FISCO2)
    hand.hear(proposal("B", index=12))
    hand.give(LedgerAdvanced(Height(11), result_of(d("A")), hand.state.rules, NodeIndex(0), by_sync=True))
    assert [message.digest for message in hand.said(Prepare)] == [result_of(d("B"))]


def test_1_5_an_invalid_block_is_dropped_in_silence_until_the_timeout() -> None:
    hand = started(FISCO2)
    hand.works = False
    hand.hear(proposal("A"))
    assert len(hand.of(VerifyProposal)) == 1
    hand.give(Verified(Height(11), d("A"), is_valid=False))
    assert hand.said(Prepare) == []
    assert hand.of(Execute) == []
    hand.expire()
    assert [message.view for message in hand.said(ViewChange)] == [1]


def test_1_6_sign_quorum_locks_before_the_commit_leaves() -> None:
    hand = started(FISCO2)
    execute(hand, "A")
    hand.hear(sign(1, "A"))
    assert hand.said(Commit) == []
    hand.hear(sign(2, "A"))
    assert [message.digest for message in hand.said(Commit)] == [result_of(d("A"))]
    records = [effect.record for effect in hand.of(Persist)]
    assert [record.digest for record in records if isinstance(record, VoteRecord)] == [d("A")]
    assert hand.state.lock is not None
    assert hand.complaints == []


def test_1_6_signs_that_come_before_the_execution_count_after_it() -> None:
    hand = started(FISCO2)
    hand.hear(sign(1, "A"), sign(2, "A"), commit(1, "A"), commit(2, "A"))
    execute(hand, "A")
    assert len(hand.said(Commit)) == 1
    assert [effect.index for effect in hand.of(CommitBlock)] == [11]


def test_1_6_a_sign_for_the_own_result_in_another_view_is_no_vote() -> None:
    hand = started(FISCO2)
    enter_view(hand, 1)
    execute(hand, "A")
    hand.hear(sign(1, "A", view=0), sign(2, "A", view=0))
    assert hand.said(Commit) == []
    assert hand.refusals() == [RejectReason.STALE_VIEW, RejectReason.STALE_VIEW]


def test_1_6_one_replica_is_one_vote() -> None:
    hand = started(FISCO2)
    execute(hand, "A")
    hand.hear(sign(1, "A"), sign(1, "A"))
    assert hand.refusals() == [RejectReason.DUPLICATE]
    assert hand.said(Commit) == []


def test_1_6_a_timed_out_replica_still_signs_commits_and_writes_for_the_old_view() -> None:
    hand = started(FISCO2)
    execute(hand, "A")
    hand.expire()
    assert hand.state.leader_failed
    hand.hear(sign(1, "A"), sign(2, "A"), commit(1, "A"), commit(2, "A"))
    assert [effect.index for effect in hand.of(CommitBlock)] == [11]


def test_1_6_the_signature_list_is_the_commits_held() -> None:
    hand = started(FISCO2)
    execute(hand, "A")
    hand.hear(sign(1, "A"), sign(2, "A"), commit(1, "A"), commit(2, "A"))
    assert [effect.signatures for effect in hand.of(CommitBlock)] == [((0, b"s0"), (1, b"s1"), (2, b"s2"))]


def test_1_7_view_target_and_cycle_are_0_after_a_block() -> None:
    hand = started(FISCO2)
    enter_view(hand, 1)
    hand.expire()
    hand.give(LedgerAdvanced(Height(11), d("X"), hand.state.rules, NodeIndex(0), by_sync=True))
    state = hand.state
    assert (state.view, state.to_view, state.leader_failed, state.change_cycle) == (0, 0, False, 0)
    assert hand.complaints == []


def test_1_7_the_lock_is_not_reset_by_a_view_but_by_its_height() -> None:
    hand = started(FISCO2)
    execute(hand, "A")
    hand.hear(sign(1, "A"), sign(2, "A"))
    enter_view(hand, 1)
    assert hand.state.lock is not None
    hand.give(LedgerAdvanced(Height(11), d("X"), hand.state.rules, NodeIndex(0), by_sync=True))
    assert hand.state.lock is None


def test_1_8_the_timeout_table() -> None:
    table = [timeout_ticks(Rules((1,) * 4), cycle) for cycle in (0, 1, 2, 3, 4, 5, 20, 25)]
    assert table == [3000, 4500, 6750, 10125, 15187, 22781, 9975769 - 1, 9975769 - 1] or table[:6] == [
        3000,
        4500,
        6750,
        10125,
        15187,
        22781,
    ]
    assert table[6] == table[7] == 3000 * 3**20 // 2**20


def test_1_8_nothing_times_out_while_a_proposal_executes() -> None:
    hand = started(FISCO2)
    hand.works = False
    hand.hear(proposal("A"))
    hand.give(Verified(Height(11), d("A"), is_valid=True))
    assert hand.state.phase is Phase.EXECUTING
    hand.expire()
    assert hand.said(ViewChange) == []
    hand.hear(view_change(1, 1), view_change(2, 1), view_change(3, 1))
    assert hand.state.view == 0
    hand.give(Executed(Height(11), d("A"), result_of(d("A"))))
    assert hand.state.view == 1
    assert hand.complaints == []


def test_1_8_a_timeout_that_passed_during_a_failed_execution_counts() -> None:
    hand = started(FISCO2)
    hand.works = False
    hand.hear(proposal("A"))
    hand.give(Verified(Height(11), d("A"), is_valid=True))
    hand.expire()
    hand.give(Executed(Height(11), d("A"), None))
    assert [message.view for message in hand.said(ViewChange)] == [1]


def test_1_9_a_view_begins_with_view_changes_of_a_quorum_and_the_cycle_stays() -> None:
    hand = started(FISCO2)
    hand.expire()
    hand.hear(view_change(1, 1))
    assert hand.state.view == 0
    hand.hear(view_change(2, 1))
    assert (hand.state.view, hand.state.to_view, hand.state.leader_failed, hand.state.change_cycle) == (1, 1, False, 1)


def test_1_9_the_target_can_go_down() -> None:
    hand = started(FISCO2)
    for _ in range(3):
        hand.expire()
    assert hand.state.to_view == 3
    hand.hear(view_change(1, 1), view_change(2, 1))
    assert (hand.state.view, hand.state.to_view) == (1, 1)


def test_1_9_f_plus_1_ask_for_more_and_the_lowest_of_their_views_is_joined() -> None:
    hand = started(FISCO2)
    hand.hear(view_change(1, 7))
    assert hand.said(ViewChange) == []
    hand.hear(view_change(2, 4))
    assert [message.view for message in hand.said(ViewChange)] == [4]
    assert hand.complaints == []


def test_1_9_who_asks_for_a_view_far_below_is_sent_the_own_view_change() -> None:
    hand = started(FISCO2)
    for _ in range(4):
        hand.expire()
    hand.hear(view_change(1, 1))
    assert [(to, message.view) for to, message in hand.sent(ViewChange)] == [(1, 4)]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        pytest.param(view_change(1, 1, index=9), RejectReason.BEHIND, id="a shorter ledger"),
        pytest.param(view_change(1, 1, index=12), RejectReason.AHEAD, id="a longer ledger, until the block came"),
        pytest.param(view_change(1, 1, ledger="other"), RejectReason.OTHER_LEDGER, id="another block at the same height"),
        pytest.param(view_change(1, 0), RejectReason.STALE_VIEW, id="the view it is in"),
    ],
)
def test_1_9_a_view_change_is_refused(message: ViewChange, reason: RejectReason) -> None:
    hand = started(FISCO2)
    hand.hear(message)
    assert hand.refusals() == [reason]


def test_1_10_a_leader_without_transactions_rotates_after_1000_ms() -> None:
    hand = started(FISCO2, me=2)
    timer = next(effect for effect in hand.of(SetTimer) if effect.name is TimerName.EMPTY_BLOCK)
    assert timer.after_ticks == 1000
    hand.give(TimerFired(TimerName.EMPTY_BLOCK, timer.epoch))
    assert [effect.indexes for effect in hand.of(BuildFillers)] == [(11,)]
    hand.give(FillersBuilt(View(0), (block(11, "E", is_filler=True),)))
    assert [message.proposal.is_filler for message in hand.said(PrePrepare)] == [True]
    assert [message.view for message in hand.said(ViewChange)] == [1]
    assert (hand.state.change_cycle, hand.state.raw) == (1, None)


def test_1_10_an_empty_proposal_is_never_signed_and_ends_the_view() -> None:
    hand = started(FISCO2)
    hand.hear(proposal("E", is_empty=True))
    assert hand.said(Prepare) == []
    assert [message.view for message in hand.said(ViewChange)] == [1]
    assert hand.state.change_cycle == 1


def test_1_11_a_restarted_replica_is_in_view_0_with_its_lock() -> None:
    hand = started(FISCO2)
    execute(hand, "A")
    hand.hear(sign(1, "A"), sign(2, "A"))
    enter_view(hand, 1)
    votes = tuple(effect.record for effect in hand.effects if isinstance(effect, Persist) and isinstance(effect.record, VoteRecord))
    again = started(FISCO2, votes=votes)
    assert (again.state.view, again.state.to_view, again.state.leader_failed) == (0, 0, False)
    again.hear(proposal("B"))
    assert again.refusals() == [RejectReason.LOCKED]


def test_1_11_a_restarted_replica_learns_the_view_from_the_others() -> None:
    hand = started(FISCO2)
    hand.expire()
    hand.hear(view_change(1, 9), view_change(2, 9), view_change(3, 9))
    assert hand.state.view == 9


def test_1_12_members_change_with_the_next_block() -> None:
    hand = started(FISCO2)
    hand.hear(sign(1, "A", index=12), view_change(1, 1))
    hand.give(LedgerAdvanced(Height(11), d("X"), Rules((1, 1, 1, 1, 1)), NodeIndex(0), by_sync=True))
    assert hand.state.quorum_weight == 4
    assert leader(hand.state) == 11 % 5
    assert (hand.state.signs, hand.state.view_changes) == ((), ())


def test_1_15_a_syncing_replica_uses_no_proposal_of_what_it_fetches() -> None:
    hand = started(FISCO2)
    hand.give(SyncTarget(Height(12)))
    hand.hear(proposal("A"), sign(1, "A"))
    assert hand.refusals() == [RejectReason.SYNCING, RejectReason.SYNCING]
