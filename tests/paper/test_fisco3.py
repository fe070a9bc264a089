"""FISCO BCOS 3.16.4, rule by rule; the numbers in the names are sections of spec 3.x. Replica 0 of four, ledger at 10, view 1."""

from __future__ import annotations

import pytest

from fiscotool.pbft.effects import (
    AgreedIndex,
    Broadcast,
    CancelTimer,
    CommitBlock,
    Execute,
    Persist,
    RejectReason,
    ReleaseTransactions,
    SealRange,
    SetTimer,
    VerifyProposal,
)
from fiscotool.pbft.events import (
    Executed,
    LedgerAdvanced,
    PeersChanged,
    PoolSize,
    Proposed,
    Started,
    SyncTarget,
    TimerFired,
    TimerName,
    Verified,
)
from fiscotool.pbft.messages import (
    CheckPoint,
    CommittedProposalRequest,
    CommittedProposalResponse,
    NewView,
    Prepare,
    PreparedProposalRequest,
    PreparedProposalResponse,
    PrePrepare,
    RecoverResponse,
    ViewChange,
)
from fiscotool.pbft.rules import Rules
from fiscotool.pbft.state import initial_state, status
from fiscotool.pbft.timers import timeout_ticks
from fiscotool.pbft.types import Height, NodeIndex, Ticks, View
from tests.pbft.hand import Hand, block, cert, d, pre, replica, restarted, view_change


def started(me: int | None = 0, weights: tuple[int, ...] = (1, 1, 1, 1)) -> Hand:
    """A replica whose process has just started, ledger at 10."""
    index = None if me is None else NodeIndex(me)
    hand = Hand(initial_state(rules=Rules(weights), me=index, height=Height(10), block_hash=d("head")))
    hand.give(Started())
    return hand


def expire(hand: Hand) -> None:
    """The view timer runs out."""
    hand.give(TimerFired(TimerName.VIEW, hand.state.timer_epoch))


def answers(hand: Hand, view: int, senders: tuple[int, ...]) -> None:
    """Recover responses."""
    hand.hear(*(RecoverResponse(View(view), Height(10), NodeIndex(sender)) for sender in senders))


# 1.8 normal case


def lead(hand: Hand, view: int) -> None:
    """This replica issues the NewView for `view`; it leads (11, view) then."""
    hand.state = hand.state._replace(in_timeout=True, to_view=View(view))
    hand.hear(*(view_change(sender, view) for sender in (0, 1, 2)))
    assert hand.state.view == view


@pytest.mark.parametrize(
    ("period", "view", "last"),
    [
        pytest.param(1, 5, 11, id="period 1: one block"),
        pytest.param(4, 6, 11, id="the period ends with height 11"),
        pytest.param(5, 6, 14, id="the period ends with height 14"),
        pytest.param(200, 4, 60, id="the high water mark, 10 + 1 + 50, ends it"),
    ],
)
def test_1_8_1_the_range_ends_with_the_leader_period_and_below_the_high_water_mark(period: int, view: int, last: int) -> None:
    hand = replica(period=period)
    lead(hand, view)
    assert hand.of(SealRange) == [SealRange(Height(11), Height(last), View(view))]


def test_1_8_1_the_sealer_is_told_after_an_agreed_proposal_of_the_next_height() -> None:
    hand = replica(me=1)
    hand.agree(11, "A")
    assert [effect for effect in hand.effects if isinstance(effect, SealRange)] == [SealRange(Height(12), Height(12), View(1))]


def test_1_8_1_and_after_a_block_that_others_agreed_without_it() -> None:
    hand = replica(me=1)
    hand.give(LedgerAdvanced(Height(11), d("xA"), hand.state.rules, NodeIndex(1), by_sync=True))
    assert hand.of(SealRange) == [SealRange(Height(12), Height(12), View(1))]


def test_1_8_1_nothing_is_sealed_behind_an_uncommitted_system_proposal() -> None:
    hand = replica(me=1)
    hand.agree(11, "A", is_system=True)
    assert hand.state.wait_seal_until == 11
    assert not [effect for effect in hand.effects if isinstance(effect, SealRange)]
    hand.execute(11, "A")
    hand.write(11, "A")
    assert hand.of(SealRange) == [SealRange(Height(12), Height(12), View(1))]


@pytest.mark.parametrize("index", [10, 12, 15], ids=["already committed", "not its turn", "its turn, but far"])
def test_1_8_3_a_proposal_out_of_turn_gives_its_transactions_back(index: int) -> None:
    hand = replica()
    if index == 15:
        hand.give(SyncTarget(Height(15)))
    hand.give(Proposed(block(index, "A")))
    assert hand.of(ReleaseTransactions) == [ReleaseTransactions(block(index, "A"))]
    assert not hand.of(Broadcast)


def test_1_8_4_a_pre_prepare_of_a_higher_view_is_kept_until_that_view() -> None:
    """Upstream handles it under the local view's schedule (FIB-133, quirk higher-view-preprepare); here it waits."""
    hand = replica()
    hand.hear(pre(11, "A", 2, hand.state.rules))
    assert not hand.of(VerifyProposal)
    hand.enter(2)
    assert [effect.proposal for effect in hand.of(VerifyProposal)] == [block(11, "A")]


def test_1_8_4_a_far_view_is_refused() -> None:
    hand = replica()
    hand.hear(pre(11, "A", 1 + 51, hand.state.rules), pre(13, "A", 8, hand.state.rules))
    assert hand.refusals() == [RejectReason.TOO_FAR, RejectReason.TOO_FAR]


def test_1_8_4_nothing_is_handled_while_synchronisation_is_a_pipeline_ahead() -> None:
    hand = replica()
    hand.give(SyncTarget(Height(60)))
    hand.hear(pre(61, "A", 1, hand.state.rules))
    assert hand.refusals() == [RejectReason.SYNCING]


def test_1_8_6_an_accepted_pre_prepare_restarts_the_timer_and_tells_synchronisation() -> None:
    hand = replica()
    hand.accept(12, "A")
    assert AgreedIndex(Height(12)) in hand.last
    assert [effect.after_ticks for effect in hand.of(SetTimer)] == [3_000]


def test_1_8_6_in_timeout_synchronisation_is_not_told() -> None:
    hand = replica()
    hand.state = hand.state._replace(in_timeout=True, to_view=View(2))
    hand.accept(12, "A")
    assert not hand.of(AgreedIndex)
    assert hand.said(Prepare)


def test_1_8_9_a_commit_clears_the_change_cycle() -> None:
    hand = replica()
    hand.state = hand.state._replace(change_cycle=4)
    hand.agree(12, "A")
    assert hand.state.change_cycle == 0


def test_1_8_11_execution_runs_ahead_of_commit_but_not_of_a_system_block() -> None:
    hand = replica()
    hand.agree(11, "A")
    hand.agree(12, "B")
    hand.execute(11, "A")
    assert [effect.proposal.index for effect in hand.of(Execute)] == [12]
    hand = replica()
    hand.agree(12, "B")
    hand.agree(11, "A", is_system=True)
    hand.execute(11, "A")
    assert not hand.of(Execute)
    hand.write(11, "A")
    assert [effect.proposal.index for effect in hand.of(Execute)] == [12]


def test_1_8_11_a_failed_execution_is_tried_again_after_20_ms() -> None:
    hand = replica()
    hand.agree(11, "A")
    hand.give(Executed(Height(11), d("A"), None))
    timer = hand.of(SetTimer)[0]
    assert (timer.name, timer.after_ticks) == (TimerName.EXECUTE_RETRY, 20)
    hand.give(TimerFired(TimerName.EXECUTE_RETRY, timer.epoch))
    assert [effect.proposal.index for effect in hand.of(Execute)] == [11]


def test_1_8_13_blocks_are_written_in_order() -> None:
    hand = replica()
    hand.agree(11, "A")
    hand.agree(12, "B")
    hand.execute(11, "A")
    hand.execute(12, "B")
    hand.checkpoints(12, "xB")
    assert not hand.of(CommitBlock)
    hand.checkpoints(11, "xA")
    assert [effect.index for effect in hand.of(CommitBlock)] == [11]
    hand.write(11, "A")
    assert [effect.index for effect in hand.of(CommitBlock)] == [12]


# 1.9 checkpoints


def test_1_9_own_checkpoints_are_sent_again_every_interval_until_the_block_is_written() -> None:
    hand = started()
    epoch = hand.state.resend_epoch
    hand.give(TimerFired(TimerName.CHECKPOINT_RESEND, epoch))
    assert not hand.said(CheckPoint)
    assert [effect.after_ticks for effect in hand.of(SetTimer)] == [3_000]
    hand = replica()
    hand.agree(11, "A")
    hand.execute(11, "A")
    hand.give(TimerFired(TimerName.CHECKPOINT_RESEND, 0))
    assert [message.digest for message in hand.said(CheckPoint)] == [d("xA")]


def test_1_9_a_replica_that_lacks_a_proposal_f_plus_1_executed_pulls_it() -> None:
    hand = replica()
    hand.checkpoints(11, "xA", (1,))
    assert not hand.sent(CommittedProposalRequest)
    hand.checkpoints(11, "xA", (2,))
    assert hand.sent(CommittedProposalRequest) == [(2, CommittedProposalRequest(Height(11), NodeIndex(0)))]
    hand.hear(CommittedProposalResponse(Height(11), NodeIndex(2), block(11, "A")))
    assert [(effect.proposal, effect.is_certified) for effect in hand.of(VerifyProposal)] == [(block(11, "A"), True)]
    hand.give(Verified(Height(11), d("A"), is_valid=True))
    assert hand.of(Execute)
    hand.execute(11, "A")
    assert [message.digest for message in hand.said(CheckPoint)] == [d("xA")]


def test_1_9_a_pulled_proposal_with_another_result_is_forgotten() -> None:
    """Upstream believes whatever it was sent (FIB-127); here the result must be the one f+1 signed."""
    hand = replica()
    hand.checkpoints(11, "xA")
    hand.hear(CommittedProposalResponse(Height(11), NodeIndex(2), block(11, "forged")))
    hand.give(Verified(Height(11), d("forged"), is_valid=True))
    hand.execute(11, "forged")
    assert not hand.said(CheckPoint)
    assert not hand.of(Persist)
    assert hand.slot(11).agreed is None
    assert hand.state.expected == 11


def test_1_9_a_prepared_replica_pulls_only_in_timeout() -> None:
    hand = replica()
    hand.lock(11, "A")
    hand.checkpoints(11, "xA")
    assert not hand.sent(CommittedProposalRequest)
    expire(hand)
    hand.checkpoints(11, "xA")
    assert len(hand.sent(CommittedProposalRequest)) == 2


def test_1_9_a_request_is_answered_from_agreed_proposals_and_the_last_five_blocks() -> None:
    hand = replica()
    hand.commit_block(11, "A")
    hand.agree(12, "B")
    request = [CommittedProposalRequest(Height(i), NodeIndex(3)) for i in (11, 12, 13)]
    hand.hear(*request)
    assert [message.proposal for _, message in hand.sent(CommittedProposalResponse)] == [block(11, "A"), block(12, "B"), None]


# 1.10 timers


@pytest.mark.parametrize(
    ("cycle", "ticks"), list(enumerate([3000, 4500, 6750, 10125, 15187, 22781, 34171, 51257, 76886, 115330, 172995, 172995]))
)
def test_1_10_the_timeout_table(cycle: int, ticks: int) -> None:
    assert timeout_ticks(Rules((1,)), cycle) == Ticks(ticks)


def test_1_10_a_filled_pool_starts_the_timer_and_an_empty_one_does_not_stop_it() -> None:
    hand = replica()
    hand.give(PoolSize(7))
    assert hand.state.timer_on
    hand.give(PoolSize(9))
    assert hand.last == ()
    hand.give(PoolSize(0))
    assert hand.state.timer_on


def test_1_10_a_block_restarts_the_timer_by_the_pool_size_last_told() -> None:
    """Hence the view change 3.0 s after a burst (events.PoolSize, recordings v3/OBSERVED.md section 6)."""
    hand = replica()
    hand.give(PoolSize(1))
    hand.commit_block(11, "A")
    assert hand.state.timer_on
    hand.give(PoolSize(0))
    expire(hand)
    assert hand.state.in_timeout
    hand = replica()
    hand.commit_block(11, "A")
    assert not hand.state.timer_on
    assert [type(effect) for effect in hand.last if isinstance(effect, CancelTimer)]


def test_1_10_expiry_while_executing_only_restarts_the_timer() -> None:
    hand = replica()
    hand.agree(11, "A")
    expire(hand)
    assert not hand.state.in_timeout
    assert hand.state.timer_on


def test_1_10_expiry_at_a_non_sealer_only_restarts_the_timer() -> None:
    hand = started(me=None)
    expire(hand)
    assert hand.state.timer_on
    assert not hand.said(ViewChange)


def test_1_10_the_change_cycle_counts_own_timeouts_up_to_ten() -> None:
    hand = replica()
    hand.give(PoolSize(1))
    for _ in range(12):
        expire(hand)
    assert hand.state.change_cycle == 10
    assert hand.state.to_view == 13


def test_1_10_a_faulty_next_leader_is_voted_out_after_a_block_without_waiting() -> None:
    hand = replica()
    hand.give(PeersChanged(frozenset({NodeIndex(2), NodeIndex(3)}), frozenset({NodeIndex(1)})))
    assert not hand.state.in_timeout
    hand.commit_block(11, "A")  # The leader of (12, 1) is replica 1.
    assert (hand.state.to_view, hand.state.change_cycle) == (2, 0)
    assert [message.view for message in hand.said(ViewChange)] == [2]


def test_1_10_several_faulty_leaders_are_passed_over_at_once_and_boundedly() -> None:
    hand = replica()
    hand.give(PeersChanged(frozenset({NodeIndex(3)}), frozenset({NodeIndex(1), NodeIndex(2)})))
    hand.commit_block(11, "A")
    assert hand.state.to_view == 3
    hand = replica(me=3)
    hand.give(PeersChanged(frozenset({NodeIndex(0)}), frozenset({NodeIndex(0), NodeIndex(1), NodeIndex(2), NodeIndex(3)})))
    hand.commit_block(11, "A")
    assert hand.state.to_view <= 1 + 4


# 1.11 view change


def test_1_11_a_view_change_of_a_shorter_ledger_gets_no_answer() -> None:
    hand = replica()
    hand.hear(view_change(1, 2, index=9, ledger="old"))
    assert hand.refusals() == [RejectReason.BEHIND]
    assert not hand.sent(RecoverResponse)


def test_1_11_a_replica_in_a_view_answers_with_it_twice_when_the_view_change_is_valid() -> None:
    hand = replica(view=5)
    hand.hear(view_change(1, 3))
    assert [message.view for _, message in hand.sent(RecoverResponse)] == [5]
    hand.hear(view_change(1, 6))
    assert [message.view for _, message in hand.sent(RecoverResponse)] == [5, 5]


def test_1_11_a_replica_in_timeout_answers_one_that_is_behind_with_its_own_view_change() -> None:
    hand = replica()
    hand.give(PoolSize(1))
    expire(hand)
    expire(hand)
    expire(hand)
    hand.hear(view_change(1, 2))
    assert [(to, message.view) for to, message in hand.sent(ViewChange)] == [(1, 4)]
    assert not hand.sent(RecoverResponse)


def test_1_11_another_hash_of_the_same_height_is_refused() -> None:
    hand = replica()
    hand.hear(view_change(1, 2, ledger="fork"))
    assert hand.refusals() == [RejectReason.OTHER_LEDGER]


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(cert(12, "A", 1, (1, 2)), id="too light"),
        pytest.param(cert(12, "A", 1, (1, 1, 1)), id="one signer three times"),
        pytest.param(cert(12, "A", 1, (1, 2, 9)), id="a stranger signed"),
        pytest.param(cert(12, "A", 3, (1, 2, 3)), id="of a view that is not past"),
        pytest.param(cert(10, "A", 1, (1, 2, 3)), id="of a committed height"),
        pytest.param(cert(500, "A", 1, (1, 2, 3)), id="of a height no honest replica prepares"),
    ],
)
def test_1_11_a_weak_certificate_makes_a_view_change_invalid(bad: object) -> None:
    hand = replica()
    hand.hear(view_change(1, 3, bad))  # type: ignore[arg-type]
    assert hand.refusals() == [RejectReason.WEAK_CERTIFICATE]


def test_1_11_any_later_new_view_is_entered_even_below_the_own_target() -> None:
    hand = replica()
    hand.give(PoolSize(1))
    for _ in range(5):
        expire(hand)
    assert hand.state.to_view == 6
    hand.enter(3)
    assert (hand.state.view, hand.state.to_view, hand.state.change_cycle, hand.state.in_timeout) == (3, 3, 0, False)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        pytest.param(
            lambda: NewView(View(2), Height(10), NodeIndex(2), tuple(view_change(s, 2) for s in (1, 2, 3))),
            RejectReason.NOT_THE_LEADER,
            id="not its leader",
        ),
        pytest.param(
            lambda: NewView(View(2), Height(10), NodeIndex(1), tuple(view_change(s, 2) for s in (1, 2))),
            RejectReason.NOT_ENOUGH_WEIGHT,
            id="too few",
        ),
        pytest.param(
            lambda: NewView(View(2), Height(10), NodeIndex(1), tuple(view_change(1, 2) for _ in range(3))),
            RejectReason.NOT_ENOUGH_WEIGHT,
            id="one three times",
        ),
        pytest.param(
            lambda: NewView(View(2), Height(10), NodeIndex(1), tuple(view_change(s, 3) for s in (1, 2, 3))),
            RejectReason.WRONG_VIEW_CHANGES,
            id="for another view",
        ),
        pytest.param(
            lambda: NewView(View(2), Height(9), NodeIndex(1), tuple(view_change(s, 2) for s in (1, 2, 3))),
            RejectReason.BEHIND,
            id="lies about its height",
        ),
        pytest.param(
            lambda: NewView(View(2), Height(10), NodeIndex(1), (view_change(1, 2), view_change(2, 2), view_change(3, 2, index=9))),
            RejectReason.BEHIND,
            id="one of a shorter ledger spoils all",
        ),
        pytest.param(
            lambda: NewView(View(0), Height(10), NodeIndex(3), tuple(view_change(s, 0) for s in (1, 2, 3))),
            RejectReason.STALE_VIEW,
            id="not later",
        ),
    ],
)
def test_1_11_a_new_view_is_refused(make: object, reason: RejectReason) -> None:
    hand = replica()
    hand.hear(make())  # type: ignore[operator]
    assert hand.refusals() == [reason]
    assert hand.state.view == 1


def test_1_11_on_entering_a_view_what_was_not_prepared_is_released() -> None:
    hand = replica()
    hand.accept(11, "A")
    hand.lock(12, "B")
    shown = view_change(1, 2, cert(12, "B", 1))
    entries = (
        PrePrepare(View(2), Height(11), d("F"), NodeIndex(1), block(11, "F", is_filler=True)),
        PrePrepare(View(2), Height(12), d("B"), NodeIndex(1), cert(12, "B", 1).proposal),
    )
    hand.enter(2, shown, entries=entries)
    assert [effect.proposal.digest for effect in hand.of(ReleaseTransactions)] == [d("A")]
    assert hand.slot(12).cert is not None
    assert hand.state.wait_reseal_until == 12


def test_1_11_the_content_of_a_re_proposal_is_asked_of_its_reporter() -> None:
    hand = replica()
    shown = view_change(3, 2, cert(11, "A", 1, (1, 2, 3)))
    hand.enter(2, shown, entries=(PrePrepare(View(2), Height(11), d("A"), NodeIndex(3), cert(11, "A", 1).proposal),))
    assert hand.sent(PreparedProposalRequest) == [(3, PreparedProposalRequest(Height(11), d("A"), NodeIndex(0)))]
    hand.hear(PreparedProposalResponse(Height(11), NodeIndex(3), cert(11, "A", 1, (1, 2, 3), is_full=True)))
    assert [(effect.proposal, effect.is_certified) for effect in hand.of(VerifyProposal)] == [(block(11, "A"), True)]
    hand.give(Verified(Height(11), d("A"), is_valid=True))
    assert [message.view for message in hand.said(Prepare)] == [2]


def test_1_11_a_request_for_a_prepared_block_is_answered_with_its_certificate() -> None:
    hand = replica()
    hand.lock(11, "A")
    hand.hear(PreparedProposalRequest(Height(11), d("A"), NodeIndex(2)), PreparedProposalRequest(Height(11), d("B"), NodeIndex(2)))
    assert [message.certificate for _, message in hand.sent(PreparedProposalResponse)] == [cert(11, "A", 1, is_full=True), None]


def test_1_11_the_new_leader_must_have_synchronised() -> None:
    hand = replica(view=4)
    hand.state = hand.state._replace(in_timeout=True, to_view=View(5))
    hand.give(SyncTarget(Height(12)))
    hand.hear(*(view_change(sender, 5) for sender in (0, 1, 2)))
    assert not hand.said(NewView)


def test_1_11_a_boast_of_unknown_blocks_does_not_enter_a_new_view() -> None:
    """Not upstream (D11): a view change of a height that neither this leader nor f+1 others have would hide what was prepared."""
    hand = replica(view=4)
    hand.state = hand.state._replace(in_timeout=True, to_view=View(5))
    hand.hear(view_change(0, 5), view_change(1, 5), view_change(2, 5, index=1_000, ledger="boast"))
    assert not hand.said(NewView)
    hand.hear(view_change(3, 5))
    assert [vc.sender for vc in hand.said(NewView)[0].view_changes] == [0, 1, 3]


# 1.12-1.16 recovery, start, synchronisation


def test_1_12_a_view_is_recovered_by_a_quorum_of_others() -> None:
    hand = started()
    answers(hand, 7, (1, 2))
    assert hand.state.in_timeout
    answers(hand, 7, (3,))
    assert (hand.state.view, hand.state.in_timeout) == (7, False)
    assert not hand.of(SealRange)


def test_1_12_view_0_cannot_be_recovered_and_views_must_agree() -> None:
    hand = started()
    answers(hand, 0, (1, 2, 3))
    assert hand.state.in_timeout
    answers(hand, 7, (1, 2))
    answers(hand, 8, (3,))
    assert hand.state.in_timeout
    answers(hand, 7, (3,))
    assert hand.state.view == 7


def test_1_12_with_three_sealers_nobody_recovers_by_answers() -> None:
    hand = started(weights=(1, 1, 1))
    answers(hand, 7, (1, 2))
    assert hand.state.in_timeout


def test_1_13_votes_survive_a_restart() -> None:
    hand = replica()
    hand.lock(11, "A")
    hand.accept(12, "B")
    again = restarted(hand)
    assert again.slot(11).cert == cert(11, "A", 1, is_full=True)
    assert (again.slot(12).voted_view, again.slot(12).voted_digest) == (1, d("B"))


def test_1_13_executed_proposals_are_executed_again_and_their_checkpoints_sent_again() -> None:
    hand = replica()
    hand.agree(11, "A")
    hand.execute(11, "A")
    again = restarted(hand)
    again.give(Started())
    assert [effect.is_certified for effect in again.of(VerifyProposal)] == [True]
    again.give(Verified(Height(11), d("A"), is_valid=True))
    assert again.of(Execute)
    again.execute(11, "A")
    assert [message.digest for message in again.said(CheckPoint)] == [d("xA")]
    again.checkpoints(11, "xA")
    assert again.of(CommitBlock)


def test_1_14_a_start_asks_for_views_1_and_2_and_for_3_after_3_s() -> None:
    hand = started()
    assert [message.view for message in hand.said(ViewChange)] == [1, 2]
    assert [(timer.name, timer.after_ticks) for timer in hand.of(SetTimer)] == [
        (TimerName.CHECKPOINT_RESEND, 3_000),
        (TimerName.VIEW, 3_000),
    ]
    assert (hand.state.view, hand.state.to_view, hand.state.in_timeout, hand.state.change_cycle) == (0, 2, True, 0)
    expire(hand)
    assert [message.view for message in hand.said(ViewChange)] == [3]
    assert [timer.after_ticks for timer in hand.of(SetTimer)] == [4_500]


def test_1_14_a_single_sealer_is_in_view_1_at_once() -> None:
    hand = started(weights=(1,))
    assert (hand.state.view, hand.state.in_timeout) == (1, False)
    hand.give(Proposed(block(11, "A")))
    hand.execute(11, "A")
    assert [effect.index for effect in hand.of(CommitBlock)] == [11]


def test_1_14_a_restarted_replica_asks_for_views_after_its_votes() -> None:
    """Views are forgotten (1.12) but votes are not: D9."""
    hand = replica(view=40)
    hand.accept(11, "A")
    again = restarted(hand)
    again.give(Started())
    assert [message.view for message in again.said(ViewChange)] == [41, 42]


def test_1_16_heights_that_synchronisation_fetches_are_left_to_it() -> None:
    hand = replica()
    hand.give(SyncTarget(Height(12)))
    hand.hear(pre(12, "A", 1, hand.state.rules), pre(13, "B", 1, hand.state.rules))
    assert hand.refusals() == [RejectReason.SYNCING]


def test_1_16_a_synchronised_block_overtakes_consensus() -> None:
    hand = replica()
    hand.accept(11, "A")
    hand.agree(12, "B")
    hand.give(LedgerAdvanced(Height(11), d("xC"), hand.state.rules, NodeIndex(0), by_sync=True))
    assert hand.state.height == 11
    assert [effect.proposal.digest for effect in hand.of(ReleaseTransactions)] == [d("A")]
    assert [effect.proposal.index for effect in hand.of(Execute)] == [12]


def test_1_10_after_a_one_block_synchronisation_in_timeout_the_timer_stays_stopped() -> None:
    def synced(blocks: int) -> Hand:
        hand = started()
        hand.give(SyncTarget(Height(10 + blocks)))
        for index in range(11, 11 + blocks):
            hand.write(index, f"S{index}", by_sync=True)
        return hand

    assert not synced(1).state.timer_on
    assert synced(2).state.timer_on


def test_1_19_a_new_list_voids_what_was_weighed_with_the_old_one() -> None:
    hand = replica()
    hand.lock(12, "B")
    hand.agree(11, "A", is_system=True)
    hand.execute(11, "A")
    hand.write(11, "A", rules=Rules((1, 1, 1, 1, 1)))
    assert hand.slot(12).cert is None
    assert hand.slot(12).voted_digest == d("B")
    assert (status(hand.state).quorum_weight, status(hand.state).faulty_weight_max) == (4, 1)


def test_1_6_the_leader_told_is_of_the_next_height_to_execute() -> None:
    hand = replica()
    assert status(hand.state).leader == 0
    hand.agree(11, "A")
    hand.execute(11, "A")
    assert status(hand.state).leader == 1
