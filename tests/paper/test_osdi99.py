"""Castro & Liskov, OSDI'99, section 4, sentence by sentence: setup, the sentence's event, what must follow.

Where FISCO 3.x differs the test says so and names the row of docs/pbft.md. Replica 0 of four, ledger at 10, view 1: the leader of 11 is
replica 0, of 12 replica 1, of 13 replica 2, of 14 replica 3.
"""

from __future__ import annotations

from fiscotool.pbft.effects import CommitBlock, Execute, Persist, RejectReason, VerifyProposal, VoteRecord
from fiscotool.pbft.events import Proposed, TimerFired, TimerName, Verified
from fiscotool.pbft.messages import CheckPoint, Commit, NewView, Prepare, PrePrepare, ViewChange
from fiscotool.pbft.types import Height, NodeIndex, View
from tests.pbft.hand import block, cert, d, pre, replica, view_change


def test_s42_the_primary_multicasts_a_pre_prepare_with_the_request() -> None:
    hand = replica()
    hand.give(Proposed(block(11, "A")))
    assert hand.said(PrePrepare) == [PrePrepare(View(1), Height(11), d("A"), NodeIndex(0), block(11, "A"))]


def test_s42_a_backup_accepts_a_pre_prepare_if_it_is_in_view_v() -> None:
    hand = replica(view=2)
    hand.hear(pre(12, "A", 1, hand.state.rules))
    assert hand.refusals() == [RejectReason.STALE_VIEW]


def test_s42_a_backup_accepts_a_pre_prepare_if_it_has_not_accepted_another_digest_for_v_and_n() -> None:
    hand = replica()
    hand.accept(12, "A")
    hand.hear(pre(12, "B", 1, hand.state.rules))
    assert hand.refusals() == [RejectReason.EQUIVOCATION]


def test_s42_a_backup_accepts_a_pre_prepare_if_d_is_the_digest_of_m() -> None:
    hand = replica()
    good = pre(12, "A", 1, hand.state.rules)
    hand.hear(PrePrepare(good.view, good.index, d("B"), good.sender, good.proposal))
    assert hand.refusals() == [RejectReason.MISMATCHED]


def test_s42_the_sequence_number_is_between_a_low_and_a_high_water_mark() -> None:
    hand = replica()
    hand.hear(pre(10, "A", 1, hand.state.rules), pre(10 + 100 + 2, "A", 1, hand.state.rules))
    assert hand.refusals() == [RejectReason.STALE_INDEX, RejectReason.TOO_FAR]


def test_s42_only_the_primary_of_the_view_may_send_a_pre_prepare() -> None:
    hand = replica()
    hand.hear(pre(12, "A", 1, hand.state.rules, sender=3))
    assert hand.refusals() == [RejectReason.NOT_THE_LEADER]


def test_s42_a_backup_that_accepts_enters_prepare_by_multicasting_prepare() -> None:
    hand = replica()
    hand.hear(pre(12, "A", 1, hand.state.rules))
    assert hand.of(VerifyProposal)
    assert not hand.said(Prepare)
    hand.give(Verified(Height(12), d("A"), is_valid=True))
    assert [message.digest for message in hand.said(Prepare)] == [d("A")]


def test_s42_it_adds_both_messages_to_its_log() -> None:
    """The log is durable here before the Prepare leaves (4.5.1 assumes that a replica never forgets; FISCO does: quirk amnesia)."""
    hand = replica()
    hand.accept(12, "A")
    assert [effect.record for effect in hand.effects if isinstance(effect, Persist)] == [VoteRecord(Height(12), View(1), d("A"))]


def test_s42_if_the_request_is_bad_the_backup_does_nothing() -> None:
    hand = replica()
    hand.hear(pre(12, "A", 1, hand.state.rules))
    hand.give(Verified(Height(12), d("A"), is_valid=False))
    assert hand.said(Prepare) == []
    assert hand.slot(12).checking is None


def test_s42_prepared_needs_2f_prepares_from_different_backups_that_match_the_pre_prepare() -> None:
    """The paper counts the pre-prepare for the leader's; here the leader sends a Prepare too: q = 2f+1 of them (D3)."""
    hand = replica()
    hand.accept(12, "A")
    hand.prepares(12, "A", (1,))
    assert hand.slot(12).cert is None
    hand.prepares(12, "A", (1,))
    assert hand.slot(12).cert is None
    hand.prepares(12, "B", (2,))
    assert hand.slot(12).cert is None
    hand.prepares(12, "A", (3,))
    assert hand.slot(12).cert == cert(12, "A", 1, (0, 1, 3), is_full=True)


def test_s42_prepares_of_another_view_do_not_count() -> None:
    hand = replica()
    hand.accept(12, "A")
    hand.prepares(12, "A", (1, 2, 3), view=2)
    assert hand.slot(12).cert is None


def test_s42_prepares_may_come_before_the_pre_prepare() -> None:
    hand = replica()
    hand.prepares(12, "A", (1, 2))
    hand.accept(12, "A")
    assert hand.slot(12).cert is not None


def test_s42_a_replica_multicasts_commit_when_prepared_becomes_true() -> None:
    hand = replica()
    hand.accept(12, "A")
    hand.prepares(12, "A")
    assert [message.digest for message in hand.said(Commit)] == [d("A")]


def test_s42_committed_local_is_true_with_2f_plus_1_commits_and_prepared() -> None:
    hand = replica()
    hand.commits(12, "A", (1, 2, 3))
    assert hand.slot(12).agreed is None
    hand.accept(12, "A")
    assert hand.slot(12).agreed is None
    hand.prepares(12, "A")
    assert hand.slot(12).agreed == block(12, "A")


def test_s42_each_replica_executes_in_sequence_number_order() -> None:
    hand = replica()
    hand.agree(12, "B")
    assert not [effect for effect in hand.effects if isinstance(effect, Execute)]
    hand.agree(11, "A")
    assert [effect.proposal.index for effect in hand.effects if isinstance(effect, Execute)] == [11]
    hand.execute(11, "A")
    assert [effect.proposal.index for effect in hand.of(Execute)] == [12]


def test_s43_a_checkpoint_is_stable_with_a_proof_of_2f_plus_1() -> None:
    """The paper takes a checkpoint every K requests; FISCO after every block, and only then writes it (D7)."""
    hand = replica()
    hand.agree(11, "A")
    hand.execute(11, "A")
    assert [message.digest for message in hand.said(CheckPoint)] == [d("xA")]
    hand.checkpoints(11, "xA", (1,))
    assert not hand.of(CommitBlock)
    hand.checkpoints(11, "xB", (2,))
    assert not hand.of(CommitBlock)
    hand.checkpoints(11, "xA", (3,))
    assert [[signer for signer, _ in effect.signatures] for effect in hand.of(CommitBlock)] == [[0, 1, 3]]


def test_s43_a_replica_with_a_stable_checkpoint_discards_all_earlier_messages() -> None:
    hand = replica()
    hand.commit_block(11, "A")
    assert hand.state.slots == ()


def test_s44_a_backup_starts_a_timer_when_it_receives_a_request_and_it_is_not_running() -> None:
    hand = replica()
    assert not hand.state.timer_on
    hand.accept(12, "A")
    assert hand.state.timer_on


def test_s44_if_the_timer_expires_in_view_v_the_backup_moves_to_view_v_plus_1() -> None:
    hand = replica()
    hand.accept(12, "A")
    hand.give(TimerFired(TimerName.VIEW, hand.state.timer_epoch))
    assert (hand.state.view, hand.state.to_view, hand.state.in_timeout) == (1, 2, True)
    assert [message.view for message in hand.said(ViewChange)] == [2]


def test_s44_it_stops_accepting_messages_other_than_checkpoint_view_change_and_new_view() -> None:
    """FISCO goes on accepting pre-prepares and preparing, but neither precommits nor commits (spec 6.2, 3; D3)."""
    hand = replica()
    hand.accept(12, "A")
    hand.give(TimerFired(TimerName.VIEW, hand.state.timer_epoch))
    hand.prepares(12, "A")
    assert hand.slot(12).cert is None


def test_s44_the_view_change_contains_what_was_prepared_with_its_certificate() -> None:
    hand = replica()
    hand.lock(12, "A")
    hand.accept(13, "B")
    hand.give(TimerFired(TimerName.VIEW, hand.state.timer_epoch))
    assert hand.said(ViewChange)[0].prepared == (cert(12, "A", 1),)


def test_s44_the_new_primary_needs_2f_valid_view_changes_of_others() -> None:
    hand = replica(view=4)  # The leader of (11, 5) is replica 0.
    hand.give(TimerFired(TimerName.VIEW, 0))
    hand.state = hand.state._replace(in_timeout=True, to_view=View(5))
    hand.hear(view_change(0, 5), view_change(1, 5))
    assert hand.said(NewView) == []
    hand.hear(view_change(3, 5))
    assert [message.view for message in hand.said(NewView)] == [5]
    assert hand.state.view == 5


def test_s44_it_chooses_the_request_prepared_in_the_highest_view_and_null_requests_for_gaps() -> None:
    hand = replica(view=4)
    hand.state = hand.state._replace(in_timeout=True, to_view=View(5))
    hand.hear(view_change(0, 5), view_change(1, 5, cert(13, "A", 1)), view_change(3, 5, cert(13, "B", 2), cert(11, "C", 1)))
    assert hand.said(NewView) == []
    hand.fill(5, 12)
    entries = hand.said(NewView)[0].preprepares
    assert [(entry.index, entry.digest, entry.proposal.is_filler) for entry in entries] == [
        (11, d("C"), False),
        (12, d("F12"), True),
        (13, d("B"), False),
    ]
    assert {entry.view for entry in entries} == {5}


def test_s44_a_backup_accepts_a_new_view_if_the_view_changes_are_valid_and_o_is_correct() -> None:
    hand = replica()
    shown = view_change(1, 2, cert(11, "A", 1))
    hand.enter(2, shown)
    assert hand.refusals() == [RejectReason.WRONG_REPROPOSALS]
    assert hand.state.view == 1
    hand.enter(2, shown, entries=(PrePrepare(View(2), Height(11), d("A"), NodeIndex(1), cert(11, "A", 1).proposal),))
    assert hand.state.view == 2


def test_s44_it_multicasts_a_prepare_for_each_message_in_o() -> None:
    hand = replica()
    hand.lock(11, "A")
    shown = view_change(1, 2, cert(11, "A", 1))
    hand.enter(2, shown, entries=(PrePrepare(View(2), Height(11), d("A"), NodeIndex(1), cert(11, "A", 1).proposal),))
    assert [(message.view, message.digest) for message in hand.said(Prepare)] == [(2, d("A"))]


def test_s44_replicas_redo_the_protocol_but_avoid_re_executing() -> None:
    """An executed block is voted for again (FISCO refuses it: D15), and not executed again."""
    hand = replica()
    hand.agree(11, "A")
    hand.execute(11, "A")
    shown = view_change(1, 2, cert(11, "A", 1))
    hand.enter(2, shown, entries=(PrePrepare(View(2), Height(11), d("A"), NodeIndex(1), cert(11, "A", 1).proposal),))
    assert [message.digest for message in hand.said(Prepare)] == [d("A")]
    hand.prepares(11, "A")
    hand.commits(11, "A")
    assert hand.slot(11).cert == cert(11, "A", 2, (0, 1, 2), is_full=True)
    assert not [effect for effect in hand.last if isinstance(effect, Execute)]


def test_s452_f_plus_1_view_changes_make_a_replica_join_even_if_its_timer_has_not_expired() -> None:
    """The paper counts any views above its own and takes the smallest; FISCO wants f+1 for one view (D4)."""
    hand = replica()
    hand.hear(view_change(1, 5))
    assert not hand.state.in_timeout
    hand.hear(view_change(2, 6))
    assert not hand.state.in_timeout
    hand.hear(view_change(3, 6))
    assert (hand.state.to_view, hand.state.change_cycle) == (6, 0)


def test_s452_the_timeout_grows_when_the_view_change_fails() -> None:
    """The paper doubles it; FISCO multiplies by 1.5 (D6)."""
    hand = replica()
    hand.accept(12, "A")
    waits = []
    for _ in range(3):
        hand.give(TimerFired(TimerName.VIEW, hand.state.timer_epoch))
        waits.append(next(getattr(effect, "after_ticks", 0) for effect in hand.last if type(effect).__name__ == "SetTimer"))
    assert waits == [4_500, 6_750, 10_125]
