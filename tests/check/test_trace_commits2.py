"""2.x: what is told after that which follows from it: Commits after the block was synchronised, a view after its first proposal."""

from __future__ import annotations

from fiscotool.check.trace import TraceContext, TraceVerdict, Verdict, check_trace
from fiscotool.pbft.trace import Act, TraceRecord
from tests.check.traces import Scribe, without

PROPOSED = "0001beef"
RESULT = "0001cafe"


def overtaken(committed: str = RESULT) -> list[TraceRecord]:
    """node1 is locked on height 1, gets the block from another node, and tells afterwards that it was committed."""
    scribe = Scribe()
    scribe.tell(1, Act.START)
    scribe.tell(1, Act.HEAD, height=0, digest="aa" * 4)
    scribe.tell(1, Act.ACCEPT_PROPOSAL, height=1, view=0, digest=PROPOSED, sender=0)
    scribe.tell(1, Act.EXECUTED, height=1, digest=RESULT)
    scribe.tell(1, Act.SEND_PREPARE, height=1, view=0, digest=RESULT)
    for sender in (0, 2, 3):
        scribe.tell(1, Act.RECEIVE_PREPARE, height=1, view=0, digest=RESULT, sender=sender)
    scribe.tell(1, Act.PREPARED, height=1, digest=PROPOSED)
    scribe.tell(1, Act.SYNCED_BLOCK, height=1, digest=RESULT)
    scribe.tell(1, Act.HEAD, height=1, digest=RESULT)
    scribe.tell(1, Act.COMMITTED_LOCAL, height=1, digest=committed, weight=3)
    return scribe.records


def judged(records: list[TraceRecord]) -> TraceVerdict:
    others = frozenset({"node0", "node2", "node3"})
    return check_trace(records, context=TraceContext(dialect="fisco2", faulty=others, tells_receives=False))


def test_commits_told_after_the_block_came_by_synchronisation_are_no_violation() -> None:
    verdict = judged(overtaken())
    assert verdict.verdict is Verdict.CONSISTENT, [breach.sentence for breach in verdict.breaches]
    assert verdict.counters.guards["committed.quorum"] == 1


def test_commits_told_late_for_another_block_than_the_ledger_has_are_refused() -> None:
    assert {"ledger.same", "committed.prepared"} <= {breach.guard for breach in judged(overtaken(committed="0001dead")).breaches}


def test_commits_told_late_for_what_was_never_prepared_are_refused() -> None:
    records = without(overtaken(), lambda record: record.act is Act.PREPARED)
    assert "committed.prepared" in {breach.guard for breach in judged(records).breaches}


def entered_with(sender: int) -> list[TraceRecord]:
    """node1 asks for view 1, and tells of a proposal of `sender` right before it tells that it has entered it."""
    scribe = Scribe()
    scribe.tell(1, Act.START)
    scribe.tell(1, Act.HEAD, height=0, digest="aa" * 4)
    scribe.tell(1, Act.SEND_VIEW_CHANGE, view=1)
    scribe.tell(1, Act.ACCEPT_PROPOSAL, height=1, digest=PROPOSED, sender=sender)
    scribe.tell(1, Act.ENTER_VIEW, view=1)
    scribe.tell(1, Act.EXECUTED, height=1, digest=RESULT)
    return scribe.records


def test_the_first_proposal_of_a_view_may_be_told_before_the_view_is_entered() -> None:
    assert judged(entered_with(1)).verdict is Verdict.CONSISTENT
    assert {breach.guard for breach in judged(entered_with(0)).breaches} == {"executed.accepted"}
