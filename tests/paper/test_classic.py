"""OSDI'99 as published, sentence by sentence; the numbers are the paper's sections. Replica 1 of four, a new chain, view 0.

The primary of view v is v mod 4. A checkpoint is taken every 5 blocks, the log has 20 (`classic.state`).
"""

from __future__ import annotations

import pytest

from fiscotool.pbft.classic.state import CHECKPOINT_BLOCKS, LOG_BLOCKS, primary_of
from fiscotool.pbft.classic.timers import timeout_ticks
from fiscotool.pbft.dialects import CLASSIC
from fiscotool.pbft.effects import (
    BuildFillers,
    CommitBlock,
    Execute,
    Persist,
    RejectReason,
    Remember,
    SealRange,
    SetTimer,
    StandRecord,
    VerifyProposal,
    VoteRecord,
)
from fiscotool.pbft.events import FillersBuilt, LedgerAdvanced, PoolSize, Proposed, TimerFired, TimerName, Verified
from fiscotool.pbft.messages import (
    CheckPoint,
    Commit,
    NewView,
    Prepare,
    PreparedCertificate,
    PreparedProposalRequest,
    PreparedProposalResponse,
    PrePrepare,
    RecoverResponse,
    ViewChange,
)
from fiscotool.pbft.rules import Rules
from fiscotool.pbft.types import NO_DIGEST, Digest, Height, NodeIndex, Ticks, View
from tests.pbft.dialect_hand import DialectHand, result_of
from tests.pbft.dialect_hand import started as started_at_10
from tests.pbft.hand import bare, block, d


def started(me: int = 1) -> DialectHand:
    """A replica of a new chain."""
    return started_at_10(CLASSIC, me=me, height=0)


def pre(index: int, name: str, view: int = 0) -> PrePrepare:
    """A pre-prepare of the view's primary, signed."""
    sender = NodeIndex(view % 4)
    return PrePrepare(View(view), Height(index), d(name), sender, block(index, name), b"s%d" % sender)


def prepare(sender: int, index: int, name: str, view: int = 0) -> Prepare:
    """A backup's Prepare."""
    return Prepare(View(view), Height(index), d(name), NodeIndex(sender), b"s%d" % sender)


def commit(sender: int, index: int, name: str, view: int = 0) -> Commit:
    """A Commit."""
    return Commit(View(view), Height(index), d(name), NodeIndex(sender), b"s%d" % sender)


def checkpoint(sender: int, index: int, name: str) -> CheckPoint:
    """A checkpoint of the state after the block called `name`."""
    return CheckPoint(View(0), Height(index), result_of(d(name)), NodeIndex(sender), b"s%d" % sender)


def cert(index: int, name: str, view: int, signers: tuple[int, ...] = (0, 2, 3)) -> PreparedCertificate:
    """A prepared certificate without content."""
    return PreparedCertificate(View(view), bare(block(index, name)), tuple((NodeIndex(i), b"s%d" % i) for i in signers))


def view_change(sender: int, view: int, *certs: PreparedCertificate, stable: tuple[CheckPoint, ...] = ()) -> ViewChange:
    """A view change; genesis is its stable checkpoint unless `stable` proves another."""
    index, digest = (stable[0].index, stable[0].digest) if stable else (Height(0), NO_DIGEST)
    return ViewChange(View(view), index, digest, NodeIndex(sender), certs, stable=stable)


def run_block(hand: DialectHand, index: int, name: str) -> None:
    """All three phases of a block in view 0, seen by a backup."""
    others = [i for i in (2, 3) if i != hand.state.me]
    hand.hear(pre(index, name), *(prepare(i, index, name) for i in others), *(commit(i, index, name) for i in (0, *others)))


def blocks(hand: DialectHand, last: int) -> None:
    """Blocks up to `last`, named by their numbers."""
    for index in range(hand.state.height + 1, last + 1):
        run_block(hand, index, str(index))


def make_stable(hand: DialectHand, index: int) -> None:
    """Blocks up to a checkpoint, and the others' checkpoints."""
    blocks(hand, index)
    hand.hear(*(checkpoint(i, index, str(index)) for i in (0, 2)))
    assert hand.state.low == index


def test_s4_the_primary_of_a_view_is_p_equals_v_mod_r() -> None:
    assert [primary_of(View(v), Rules((1,) * 4)) for v in range(6)] == [0, 1, 2, 3, 0, 1]


def test_s42_the_primary_assigns_a_number_and_multicasts_a_pre_prepare_but_no_prepare() -> None:
    hand = started(me=0)
    assert [(effect.first, effect.last) for effect in hand.of(SealRange)] == [(1, LOG_BLOCKS)]
    hand.give(Proposed(block(1, "A")))
    assert [message.index for message in hand.said(PrePrepare)] == [1]
    assert hand.said(Prepare) == []
    hand.give(Proposed(block(2, "B")))
    assert [message.index for message in hand.said(PrePrepare)] == [2]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        pytest.param(
            PrePrepare(View(0), Height(1), d("A"), NodeIndex(2), block(1, "A")), RejectReason.NOT_THE_LEADER, id="not the primary"
        ),
        pytest.param(
            PrePrepare(View(0), Height(1), d("B"), NodeIndex(0), block(1, "A")), RejectReason.MISMATCHED, id="d is not the digest"
        ),
        pytest.param(pre(LOG_BLOCKS + 1, "A"), RejectReason.TOO_FAR, id="above the high water mark"),
        pytest.param(pre(1, "A", view=1), RejectReason.TOO_FAR, id="not in that view"),
    ],
)
def test_s42_a_backup_refuses_a_pre_prepare(message: PrePrepare, reason: RejectReason) -> None:
    hand = started(me=3)
    hand.hear(message)
    assert hand.refusals() == [reason]


def test_s42_it_has_not_accepted_a_pre_prepare_for_v_and_n_with_a_different_digest() -> None:
    hand = started()
    hand.hear(pre(1, "A"), pre(1, "B"))
    assert hand.refusals() == [RejectReason.EQUIVOCATION]


def test_s42_a_backup_that_accepts_multicasts_prepare_after_making_it_durable() -> None:
    hand = started()
    hand.hear(pre(1, "A"))
    assert [type(effect).__name__ for effect in hand.of(VerifyProposal)] == ["VerifyProposal"]
    assert [message.digest for message in hand.said(Prepare)] == [d("A")]
    assert hand.complaints == []


def test_s42_prepared_is_the_pre_prepare_and_2f_prepares_of_different_backups() -> None:
    hand = started()
    hand.hear(pre(1, "A"))
    assert hand.said(Commit) == []
    hand.hear(prepare(2, 1, "A"))
    assert [message.index for message in hand.said(Commit)] == [1]
    records = [effect.record for effect in hand.of(Persist)]
    found = [record.certificate for record in records if isinstance(record, VoteRecord) and record.certificate is not None]
    assert [signer for signer, _ in found[0].signatures] == [0, 1, 2]


def test_s42_a_prepare_of_the_primary_does_not_exist() -> None:
    hand = started()
    hand.hear(pre(1, "A"), prepare(0, 1, "A"))
    assert hand.refusals() == [RejectReason.NOT_IN_DIALECT]
    assert hand.said(Commit) == []


def test_s42_committed_local_needs_2f_plus_1_commits_and_prepared() -> None:
    hand = started()
    hand.hear(commit(0, 1, "A"), commit(2, 1, "A"), commit(3, 1, "A"), pre(1, "A"))
    assert hand.of(Execute) == []
    hand.hear(prepare(2, 1, "A"))
    assert [effect.proposal.digest for effect in hand.of(Execute)] == [d("A")]
    assert len(hand.of(CommitBlock)) == 1


def test_s42_requests_are_executed_in_the_order_of_their_numbers() -> None:
    hand = started()
    run_block(hand, 2, "B")
    assert hand.of(Execute) == []
    run_block(hand, 1, "A")
    executed = [effect.proposal.index for effect in hand.effects if isinstance(effect, Execute)]
    assert executed == [1, 2]


def test_s42_a_bad_request_is_answered_with_nothing() -> None:
    hand = started()
    hand.works = False
    hand.hear(pre(1, "A"))
    hand.give(Verified(Height(1), d("A"), is_valid=False))
    assert hand.said(Prepare) == []


def test_s43_a_checkpoint_is_multicast_every_k_numbers() -> None:
    hand = started()
    blocks(hand, CHECKPOINT_BLOCKS - 1)
    said = [effect.message for effect in hand.effects if hasattr(effect, "message") and isinstance(effect.message, CheckPoint)]
    assert said == []
    blocks(hand, CHECKPOINT_BLOCKS)
    assert [(message.index, message.digest) for message in hand.said(CheckPoint)] == [(5, result_of(d("5")))]


def test_s43_2f_plus_1_of_them_are_the_proof_and_the_log_below_is_discarded() -> None:
    hand = started()
    blocks(hand, 7)
    hand.hear(checkpoint(0, 5, "5"))
    assert hand.state.low == 0
    hand.hear(checkpoint(2, 5, "5"))
    assert hand.state.low == 5
    assert [slot.height for slot in hand.state.slots] == [6, 7]
    assert [known.sender for known in hand.state.stable] == [0, 1, 2]
    assert [effect.record.stable for effect in hand.of(Remember)] == [hand.state.stable]


def test_s43_checkpoints_with_another_digest_prove_nothing() -> None:
    hand = started()
    blocks(hand, 5)
    hand.hear(checkpoint(0, 5, "x"), checkpoint(2, 5, "x"), checkpoint(3, 5, "5"))
    assert hand.state.low == 0


def test_s43_the_water_marks_advance_with_the_stable_checkpoint() -> None:
    hand = started()
    make_stable(hand, 5)
    hand.hear(pre(5, "z"))
    assert hand.refusals() == [RejectReason.STALE_INDEX]
    hand.hear(pre(LOG_BLOCKS + 5, "y"))
    assert hand.refusals() == []


def test_s43_a_replica_that_is_behind_becomes_stable_when_the_state_has_come() -> None:
    hand = started()
    hand.hear(*(checkpoint(i, 5, "5") for i in (0, 2, 3)))
    assert hand.state.low == 0
    hand.give(LedgerAdvanced(Height(5), result_of(d("5")), hand.state.rules, NodeIndex(1), by_sync=True))
    assert hand.state.low == 5


def test_s44_a_timer_runs_while_a_request_waits() -> None:
    hand = started()
    hand.give(PoolSize(1))
    assert [effect.after_ticks for effect in hand.of(SetTimer)] == [3000]
    hand.give(PoolSize(0))
    assert not hand.state.timer_on


def test_s44_when_it_expires_the_view_change_shows_checkpoint_proof_and_what_was_prepared() -> None:
    hand = started()
    make_stable(hand, 5)
    hand.hear(pre(6, "A"), prepare(2, 6, "A"), pre(7, "B"))
    hand.give(PoolSize(1))
    hand.expire()
    (message,) = hand.said(ViewChange)
    assert (message.view, message.index, message.digest) == (1, 5, result_of(d("5")))
    assert len(message.stable) == 3
    assert [(entry.proposal.index, entry.proposal.data) for entry in message.prepared] == [(6, b"")]
    assert hand.complaints == []


def test_s44_then_it_accepts_only_checkpoint_view_change_and_new_view() -> None:
    hand = started(me=2)
    hand.hear(pre(1, "A"))
    hand.give(PoolSize(1))
    hand.expire()
    hand.hear(prepare(1, 1, "A"), commit(0, 1, "A"), pre(2, "B"))
    assert hand.refusals() == [RejectReason.STALE_VIEW] * 3
    hand.hear(checkpoint(0, 5, "5"))
    assert hand.refusals() == []


def shown(*, stable: tuple[CheckPoint, ...] = ()) -> tuple[ViewChange, ...]:
    """View changes for view 1: A at 2 prepared in view 0, nothing at 1."""
    return (view_change(0, 1, cert(2, "A", 0), stable=stable), view_change(2, 1), view_change(3, 1))


def test_s44_the_primary_of_the_new_view_fills_gaps_with_null_requests() -> None:
    hand = started(me=1)
    hand.hear(*shown()[:2])
    assert [effect.indexes for effect in hand.of(BuildFillers)] == [(1,)]
    hand.give(FillersBuilt(View(1), (block(1, "null", is_filler=True),)))
    (message,) = hand.said(NewView)
    assert [(entry.index, entry.digest, entry.proposal.is_filler) for entry in message.preprepares] == [
        (1, d("null"), True),
        (2, d("A"), False),
    ]
    assert hand.state.view == 1
    assert hand.complaints == []


def new_view(*entries: tuple[int, str], view_changes: tuple[ViewChange, ...] | None = None, sender: int = 1) -> NewView:
    """The NewView of view 1; the entry called "null" is an empty block."""
    leader = NodeIndex(sender)
    made = []
    for index, name in entries:
        content = block(index, name, is_filler=True) if name == "null" else bare(block(index, name))
        made.append(PrePrepare(View(1), Height(index), d(name), leader, content, b"s%d" % sender))
    return NewView(View(1), Height(0), leader, shown() if view_changes is None else view_changes, tuple(made))


def test_s44_a_backup_enters_and_prepares_each_message_of_o() -> None:
    hand = started(me=3)
    hand.hear(pre(2, "A"), prepare(1, 2, "A"))
    hand.hear(new_view((1, "null"), (2, "A")))
    assert hand.state.view == 1
    assert sorted((message.index, message.view) for message in hand.said(Prepare)) == [(1, 1), (2, 1)]
    assert hand.complaints == []


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        pytest.param(new_view((2, "A")), RejectReason.WRONG_REPROPOSALS, id="a gap"),
        pytest.param(new_view((1, "null"), (2, "B")), RejectReason.WRONG_REPROPOSALS, id="another request than the prepared one"),
        pytest.param(new_view(), RejectReason.WRONG_REPROPOSALS, id="what was prepared is left out"),
        pytest.param(new_view((1, "null"), (2, "A"), (3, "C")), RejectReason.WRONG_REPROPOSALS, id="more than what was prepared"),
        pytest.param(new_view((1, "null"), (2, "A"), sender=2), RejectReason.NOT_THE_LEADER, id="not of the primary"),
        pytest.param(new_view((1, "null"), (2, "A"), view_changes=shown()[:2]), RejectReason.NOT_ENOUGH_WEIGHT, id="two view changes"),
        pytest.param(new_view(view_changes=(shown()[1], shown()[1], shown()[2])), RejectReason.NOT_ENOUGH_WEIGHT, id="one replica twice"),
        pytest.param(
            new_view(view_changes=(view_change(0, 1, cert(1, "A", 0, (0, 2))), *shown()[1:])),
            RejectReason.WRONG_VIEW_CHANGES,
            id="a certificate of two",
        ),
        pytest.param(
            new_view(view_changes=(view_change(0, 1, stable=(checkpoint(0, 5, "5"),)), *shown()[1:])),
            RejectReason.WRONG_VIEW_CHANGES,
            id="a checkpoint without proof",
        ),
    ],
)
def test_s44_a_backup_verifies_the_set_o(message: NewView, reason: RejectReason) -> None:
    hand = started(me=3)
    hand.hear(message)
    assert hand.refusals() == [reason]
    assert hand.state.view == 0


def test_s44_the_request_prepared_in_the_latest_view_is_chosen() -> None:
    hand = started(me=3)
    both = (view_change(0, 3, cert(1, "A", 0)), view_change(1, 3, cert(1, "B", 2)), view_change(2, 3))
    hand.hear(*both)
    chosen = [message.preprepares[0].digest for message in hand.said(NewView)]
    assert chosen == [d("B")]


def test_s44_a_missing_request_is_fetched_from_who_prepared_it() -> None:
    hand = started(me=3)
    hand.hear(new_view((1, "null"), (2, "A")))
    assert [(to, message.digest) for to, message in hand.sent(PreparedProposalRequest)] == [(0, d("A"))]
    full = PreparedCertificate(View(0), block(2, "A"), ((NodeIndex(0), b"s0"),))
    hand.hear(PreparedProposalResponse(Height(2), NodeIndex(0), full))
    assert [(message.index, message.digest) for message in hand.said(Prepare)] == [(2, d("A"))]


def test_s44_replicas_redo_the_protocol_but_do_not_execute_again() -> None:
    hand = started(me=3)
    hand.hear(pre(1, "A"), prepare(1, 1, "A"), commit(0, 1, "A"), commit(1, 1, "A"))
    assert hand.state.height == 1
    message = new_view((1, "A"), view_changes=(view_change(0, 1, cert(1, "A", 0)), *shown()[1:]))
    hand.hear(message)
    assert [message.view for message in hand.said(Prepare)] == [1]
    hand.hear(prepare(0, 1, "A", 1), commit(0, 1, "A", 1), commit(1, 1, "A", 1))
    assert [effect.proposal.index for effect in hand.effects if isinstance(effect, Execute)] == [1]


def test_s44_who_asked_for_a_later_view_does_not_enter_an_earlier_one() -> None:
    hand = started(me=3)
    hand.hear(view_change(0, 2), view_change(1, 2))
    assert hand.state.to_view == 2
    hand.hear(new_view((1, "null"), (2, "A")))
    assert hand.refusals() == [RejectReason.STALE_VIEW]


def test_s452_f_plus_1_view_changes_are_joined_at_the_smallest_view() -> None:
    hand = started(me=3)
    hand.hear(view_change(0, 5))
    assert hand.said(ViewChange) == []
    hand.hear(view_change(1, 2))
    assert [message.view for message in hand.said(ViewChange)] == [2]


def test_s452_the_wait_starts_with_a_quorum_and_doubles() -> None:
    hand = started(me=3)
    hand.give(PoolSize(1))
    hand.expire()
    assert not hand.state.timer_on
    hand.hear(view_change(0, 1))
    assert not hand.state.timer_on
    hand.hear(view_change(2, 1))
    assert [effect.after_ticks for effect in hand.of(SetTimer)] == [6000]
    assert [timeout_ticks(Rules((1,) * 4), k) for k in (0, 1, 2, 10, 30)] == [3000, 6000, 12000, Ticks(3000 * 1024), Ticks(3000 * 1024)]


def test_c4_a_restarted_replica_is_in_its_view_or_asks_again_with_its_proof() -> None:
    hand = started()
    make_stable(hand, 5)
    hand.hear(pre(6, "A"), prepare(2, 6, "A"))
    votes = tuple(effect.record for effect in hand.effects if isinstance(effect, Persist) and isinstance(effect.record, VoteRecord))
    stands = [effect.record for effect in hand.effects if isinstance(effect, Remember)]
    again = started_at_10(CLASSIC, me=1, height=6 - 1, votes=votes[-1:], stand=stands[-1])
    assert not again.said(ViewChange)
    assert (again.state.view, again.state.in_timeout, again.state.low) == (0, False, 5)
    again.hear(pre(6, "B"))
    assert not again.said(Prepare), "it voted for another block before"
    again.give(PoolSize(1))
    again.expire()
    (message,) = again.said(ViewChange)
    assert (message.view, message.index, len(message.stable)) == (1, 5, 3)
    assert [entry.proposal.digest for entry in message.prepared] == [d("A")]
    there = started_at_10(CLASSIC, me=1, height=5, stand=StandRecord(View(7), is_changing=False, stable=stands[-1].stable))
    assert [message.view for message in there.said(ViewChange)] == [7], "others answer with the NewView of their view"
    assert not there.state.in_timeout
    stand = StandRecord(View(7), is_changing=True, stable=stands[-1].stable)
    asked = started_at_10(CLASSIC, me=1, height=5, stand=stand).said(ViewChange)
    assert [message.view for message in asked] == [7]


def test_c4_a_replica_restarted_in_a_view_takes_no_assignment_before_it_knows_what_its_new_view_proposed() -> None:
    """It was killed between making the view durable and making durable its votes for what the NewView proposes again."""
    hand = started(me=3)
    hand.hear(pre(2, "A"), prepare(1, 2, "A"))
    before = tuple(effect.record for effect in hand.effects if isinstance(effect, Persist) and isinstance(effect.record, VoteRecord))
    stand = StandRecord(View(1), is_changing=False)
    there = started_at_10(CLASSIC, me=3, height=0, votes=before[-1:], stand=stand)
    there.hear(pre(2, "B", view=1))
    assert not there.said(Prepare), "two such replicas and a primary that lies would fork the chain"
    assert there.refusals()[-1] is RejectReason.NEW_VIEW_FORGOTTEN
    there.hear(new_view((1, "null"), (2, "A")), pre(2, "B", view=1))
    assert sorted((message.index, message.view, message.digest) for message in there.said(Prepare)) == [(1, 1, d("null")), (2, 1, d("A"))]
    there.hear(pre(3, "C", view=1))
    assert there.said(Prepare)[-1].index == 3, "above O the view goes on"


def test_c4_a_primary_restarted_in_its_view_seals_only_after_its_new_view_came_back() -> None:
    """It may not know any more what it proposed again."""
    there = started_at_10(CLASSIC, me=1, height=0, stand=StandRecord(View(1), is_changing=False))
    assert not there.of(SealRange)
    there.give(Proposed(block(1, "B")))
    assert not there.said(PrePrepare)
    there.hear(new_view((1, "null"), (2, "A")))
    assert [(effect.first, effect.view) for effect in there.of(SealRange)] == [(3, 1)]


def test_c5_who_asks_for_a_past_view_is_sent_the_new_view() -> None:
    hand = started(me=3)
    hand.hear(new_view((1, "null"), (2, "A")))
    hand.hear(view_change(2, 1))
    assert [(to, message.view) for to, message in hand.sent(NewView)] == [(2, 1)]


def test_c5_a_replica_that_hears_votes_of_a_later_view_asks_for_its_new_view() -> None:
    hand = started()
    hand.hear(prepare(2, 1, "A", view=1))
    hand.give(TimerFired(TimerName.CHECKPOINT_RESEND, hand.state.resend_epoch))
    assert not hand.said(ViewChange), "one may lie"
    hand.hear(commit(3, 1, "A", view=1))
    hand.give(TimerFired(TimerName.CHECKPOINT_RESEND, hand.state.resend_epoch))
    assert [message.view for message in hand.said(ViewChange)] == [0]
    assert not hand.state.in_timeout


def test_c5_what_may_be_lost_is_said_again() -> None:
    hand = started()
    hand.hear(pre(1, "A"), prepare(2, 1, "A"))
    hand.give(TimerFired(TimerName.CHECKPOINT_RESEND, hand.state.resend_epoch))
    assert [len(hand.said(kind)) for kind in (Prepare, Commit)] == [1, 1]
    hand.give(PoolSize(1))
    hand.expire()
    hand.give(TimerFired(TimerName.CHECKPOINT_RESEND, hand.state.resend_epoch))
    assert [message.view for message in hand.said(ViewChange)] == [1]


def test_messages_of_other_protocols_are_refused() -> None:
    hand = started()
    hand.hear(RecoverResponse(View(1), Height(0), NodeIndex(2), Digest(b"x")))
    assert hand.refusals() == [RejectReason.NOT_IN_DIALECT]
