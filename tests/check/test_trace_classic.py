"""PBFT as published: what a view change makes of heights that are in the ledger already, and in which order it is told."""

from __future__ import annotations

from fiscotool.check.trace import TraceContext, TraceVerdict, Verdict, check_trace
from fiscotool.pbft.trace import Act, TraceRecord
from tests.check.traces import Scribe, changed, place_of, without

BLOCK = "0001beef"
RESULT = "0001cafe"
OTHERS = frozenset({"node0", "node1", "node2"})


def view_changed(*, joins: bool = False, told_late: bool = False) -> list[TraceRecord]:
    """node3 writes height 1 in view 0 and votes on it again in view 1, whose NewView proposes it again."""
    scribe = Scribe()
    scribe.tell(3, Act.START)
    scribe.tell(3, Act.HEAD, height=0, digest="aa" * 4, own_view=0, to_view=0)
    vote(scribe, 0)
    for place, sender in enumerate((3, 0, 1, 2)):
        scribe.tell(3, Act.RECEIVE_COMMIT, height=1, view=0, digest=BLOCK, sender=sender, weight=place + 1)
        if sender == 1:
            scribe.tell(3, Act.COMMITTED_LOCAL, height=1, view=0, digest=BLOCK)
    scribe.tell(3, Act.EXECUTED, height=1, digest=RESULT)
    scribe.tell(3, Act.LEDGER_COMMIT, height=1, digest=RESULT)
    scribe.tell(3, Act.HEAD, height=1, digest=RESULT, own_view=0, to_view=0)
    scribe.tell(3, Act.RECEIVE_VIEW_CHANGE, height=0, view=1, sender=1, weight=1)
    if joins:
        scribe.tell(3, Act.FAST_VIEW_CHANGE, height=1, view=1, own_view=0, to_view=1)
    else:
        scribe.tell(3, Act.TIMEOUT, height=1, view=0, own_view=0, to_view=1)
    scribe.tell(3, Act.RECEIVE_VIEW_CHANGE, height=0, view=1, sender=2, weight=2)
    if not told_late:
        scribe.tell(3, Act.SEND_VIEW_CHANGE, height=0, view=1)
    scribe.tell(3, Act.ACCEPT_NEW_VIEW, height=0, view=1, sender=1)
    scribe.tell(3, Act.ENTER_VIEW, height=1, view=1, own_view=1, to_view=1)
    if told_late:
        scribe.tell(3, Act.SEND_VIEW_CHANGE, height=0, view=1)
    vote(scribe, 1)
    for sender in (3, 1, 2):
        scribe.tell(3, Act.RECEIVE_COMMIT, height=1, view=1, digest=BLOCK, sender=sender, weight=4)
    return scribe.records


def vote(scribe: Scribe, view: int) -> None:
    """From the pre-prepare to the own Commit; the primary's pre-prepare is its vote."""
    about = {"height": 1, "view": view, "digest": BLOCK}
    scribe.tell(3, Act.ACCEPT_PROPOSAL, sender=view, own_view=view, to_view=view, **about)
    scribe.tell(3, Act.SEND_PREPARE, **about)
    scribe.tell(3, Act.RECEIVE_PREPARE, sender=3, weight=2, **about)
    scribe.tell(3, Act.RECEIVE_PREPARE, sender=2, weight=3, **about)
    scribe.tell(3, Act.PREPARED, own_view=view, **about)
    scribe.tell(3, Act.SEND_COMMIT, **about)


def judged(records: list[TraceRecord]) -> TraceVerdict:
    return check_trace(records, context=TraceContext(dialect="classic", faulty=OTHERS))


def guards(records: list[TraceRecord]) -> set[str]:
    return {breach.guard for breach in judged(records).breaches}


def test_heights_of_the_ledger_that_a_new_view_proposes_again_are_voted_on_again() -> None:
    for records in (view_changed(), view_changed(joins=True), view_changed(told_late=True)):
        verdict = judged(records)
        assert verdict.verdict is Verdict.CONSISTENT, [breach.sentence for breach in verdict.breaches]


def test_a_second_prepare_for_another_block_of_the_new_view_is_refused() -> None:
    records = view_changed()
    place = place_of(records, Act.SEND_PREPARE, "node3", nth=1)
    assert "prepare.accepted" in guards(changed(records, place, digest="0001dead"))


def test_commits_of_the_earlier_view_count_for_what_was_committed_alone() -> None:
    records = without(view_changed(), lambda record: record.act is Act.COMMITTED_LOCAL)
    assert "vote.weight" in guards(records)


def test_joining_one_that_asks_is_refused() -> None:
    told = view_changed(joins=True)
    assert "join.weight" in guards(without(told, lambda record: record.act is Act.RECEIVE_VIEW_CHANGE and record.sender == 2))


def test_a_view_change_of_the_own_view_once_its_new_view_is_known_is_refused() -> None:
    records = view_changed()
    again = changed(records, len(records) - 1, act=Act.SEND_VIEW_CHANGE, sender=None, weight=None, digest="")
    assert guards(again) == {"ask.cause"}
    assert not guards(records)


def restarted(proposed: int, stable: int) -> list[TraceRecord]:
    """node3 leads view 3, begins again at height 51 and tells its last stable checkpoint."""
    scribe = Scribe()
    scribe.tell(3, Act.START)
    scribe.tell(3, Act.HEAD, height=51, digest="aa" * 4, own_view=3, to_view=3)
    scribe.tell(3, Act.SEND_VIEW_CHANGE, height=stable, view=3)
    scribe.tell(3, Act.PROPOSE, height=proposed, view=3, digest="0034beef")
    return scribe.records


def test_after_a_restart_the_window_begins_at_the_checkpoint_of_the_disk() -> None:
    assert judged(restarted(52, 50)).verdict is Verdict.CONSISTENT
    assert guards(restarted(152, 50)) == {"propose.window"}


def left_with_a_proposal(*, prepares: bool) -> list[TraceRecord]:
    """node3 leads view 3, enters view 4, and tells only then that a proposal has left."""
    scribe = Scribe()
    scribe.tell(3, Act.START)
    scribe.tell(3, Act.HEAD, height=0, digest="aa" * 4, own_view=3, to_view=3)
    scribe.tell(3, Act.ACCEPT_NEW_VIEW, height=0, view=4, sender=0)
    scribe.tell(3, Act.ENTER_VIEW, height=0, view=4, own_view=4, to_view=4)
    if prepares:
        scribe.tell(3, Act.ACCEPT_PROPOSAL, height=1, view=4, digest=BLOCK, sender=0)
        scribe.tell(3, Act.SEND_PREPARE, height=1, view=4, digest=BLOCK)
    scribe.tell(3, Act.PROPOSE, height=2, digest="0002beef")
    return scribe.records


def test_a_proposal_of_the_view_before_may_be_told_until_the_first_prepare() -> None:
    assert judged(left_with_a_proposal(prepares=False)).verdict is Verdict.CONSISTENT
    assert guards(left_with_a_proposal(prepares=True)) == {"propose.leader"}
