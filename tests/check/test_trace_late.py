"""What nodes of embedded chains tell late or not at all, in the fewest records: no violation, and one as soon as it is not so."""

from __future__ import annotations

from dataclasses import replace

from fiscotool.check.trace import Members, TraceContext, TraceVerdict, Verdict, check_trace
from fiscotool.pbft.trace import Act, TraceRecord
from tests.check.traces import Scribe, without

PREPARED = "0001beef"


def new_leader(proposed_again: str = PREPARED) -> list[TraceRecord]:
    """node2 leads view 4, takes what node1 had reported as prepared at height 3, and tells afterwards that it proposes it again."""
    scribe = Scribe()
    scribe.tell(2, Act.START)
    scribe.tell(2, Act.HEAD, height=0, digest="aa" * 4)
    for place, sender in enumerate((0, 1, 3)):
        scribe.tell(2, Act.RECEIVE_VIEW_CHANGE, height=0, view=4, sender=sender, weight=place + 1)
    scribe.tell(2, Act.ENTER_VIEW, view=4, own_view=4, to_view=4)
    for height in (1, 2):
        scribe.tell(2, Act.ACCEPT_PROPOSAL, height=height, view=4, digest=PREPARED, sender=0)
    for height in (1, 2):
        scribe.tell(2, Act.REPROPOSE, height=height, view=4, digest=proposed_again, sender=0)
    scribe.tell(2, Act.SEND_NEW_VIEW, height=0, view=4)
    return [replace(record, index=1 if record.index == 2 else record.index) for record in scribe.records]


def judged(records: list[TraceRecord], **more: object) -> TraceVerdict:
    others = frozenset({"node0", "node1", "node2", "node3"} - {record.replica for record in records})
    context = TraceContext(members=(Members(0, (1, 1, 1, 1)),), faulty=others)
    return check_trace(records, context=replace(context, **more))  # type: ignore[arg-type]


def test_a_new_leader_may_take_what_it_proposes_again_before_it_tells_of_it() -> None:
    verdict = judged(new_leader())
    assert verdict.verdict is Verdict.CONSISTENT, [breach.sentence for breach in verdict.breaches]
    assert verdict.counters.premises["reproposed"] == 2


def test_a_new_leader_that_takes_something_else_is_refused() -> None:
    assert "accept.reproposed" in {breach.guard for breach in judged(new_leader("0001dead")).breaches}


def test_a_new_leader_that_never_proposes_again_what_it_takes_is_refused() -> None:
    records = without(new_leader(), lambda record: record.act is Act.REPROPOSE)
    assert "accept.reproposed" in {breach.guard for breach in judged(records).breaches}


def views_of_2x(asking: tuple[int, ...], *, is_told: bool) -> list[TraceRecord]:
    """All three of `asking` ask for views 1 to 4 one after the other; node1 enters each of them. Its log tells receives, or does not."""
    scribe = Scribe()
    for index in (0, 1, 2, 3):
        scribe.tell(index, Act.START)
        scribe.tell(index, Act.HEAD, height=0, digest="aa" * 4)
    for view in (1, 2, 3, 4):
        for index in asking:
            scribe.tell(index, Act.SEND_VIEW_CHANGE, view=view)
        for sender in asking:
            if is_told and sender != 1 and view == 1:
                scribe.tell(1, Act.RECEIVE_VIEW_CHANGE, height=0, view=view, sender=sender)
        scribe.tell(1, Act.ENTER_VIEW, view=view)
    return scribe.records


def of_2x(records: list[TraceRecord]) -> TraceVerdict:
    return judged(records, dialect="fisco2", missing_max=3)


def test_view_changes_that_no_line_of_level_info_tells_use_up_nothing() -> None:
    verdict = of_2x(views_of_2x((0, 1, 2), is_told=False))
    assert verdict.verdict is Verdict.CONSISTENT, [breach.sentence for breach in verdict.breaches]
    assert verdict.counters.guards["enter.quorum"] == 4


def test_a_view_entered_on_view_changes_that_nobody_sent_is_refused() -> None:
    assert "enter.quorum" in {breach.guard for breach in judged(views_of_2x((0, 1), is_told=False), dialect="fisco2").breaches}


def test_where_view_changes_are_told_those_that_are_not_use_up_the_budget() -> None:
    assert "enter.quorum" in {breach.guard for breach in of_2x(views_of_2x((0, 1, 2), is_told=True)).breaches}


def votes_after_a_change(weight: int) -> list[TraceRecord]:
    """node1 has block 1 and not yet block 2, after which node0 weighs 2; it counts a Prepare of node0 for height 3, as weighing `weight`."""
    scribe = Scribe()
    scribe.tell(1, Act.START)
    scribe.tell(1, Act.HEAD, height=1, digest="aa" * 4)
    scribe.tell(1, Act.RECEIVE_PREPARE, height=3, view=0, digest=PREPARED, sender=0, weight=weight)
    return scribe.records


def test_votes_are_weighed_by_the_sealers_after_the_last_block_of_who_counts() -> None:
    members = (Members(0, (1, 1, 1, 1)), Members(3, (2, 1, 1, 1)))
    assert not judged(votes_after_a_change(1), members=members).breaches
    assert {breach.guard for breach in judged(votes_after_a_change(2), members=members).breaches} == {"vote.weight"}


def begins_in_a_block(digest: str, weight: int) -> list[TraceRecord]:
    """A log that begins after node1 has accepted a proposal: another's Prepare is counted, its own leaves and is counted, it is prepared."""
    scribe = Scribe()
    about = {"height": 1, "view": 3, "digest": PREPARED}
    scribe.tell(1, Act.RECEIVE_PREPARE, sender=0, weight=1, own_view=3, to_view=3, head=0, **about)
    scribe.tell(1, Act.SEND_PREPARE, height=1, digest=digest)
    scribe.tell(1, Act.RECEIVE_PREPARE, sender=1, weight=2, own_view=3, to_view=3, head=0, **about)
    scribe.tell(1, Act.RECEIVE_PREPARE, sender=2, weight=weight, own_view=3, to_view=3, head=0, **about)
    scribe.tell(1, Act.PREPARED, own_view=3, to_view=3, head=0, **about)
    return scribe.records


def test_a_log_may_begin_after_a_proposal_was_accepted_and_before_the_own_prepare() -> None:
    verdict = judged(begins_in_a_block("", 3), ends_open=True)
    assert not verdict.breaches, [breach.sentence for breach in verdict.breaches]
    assert verdict.counters.guards["prepared.quorum"] == 1


def test_own_prepares_for_two_proposals_and_missing_ones_are_refused_there_too() -> None:
    assert "prepare.single" in {breach.guard for breach in judged(begins_in_a_block("0001dead", 3), ends_open=True).breaches}
    records = begins_in_a_block("", 3)
    assert {breach.guard for breach in judged([*records[:3], records[4]], ends_open=True).breaches} >= {"prepared.quorum"}


def new_sealers(index: int) -> list[TraceRecord]:
    """Block 1 makes node3 number 0 of two lists of four; its log begins there. node1 has heard a vote of the old list's `index`."""
    scribe = Scribe()
    scribe.tell(1, Act.START)
    scribe.tell(1, Act.HEAD, height=0, digest="aa" * 4, own_view=0, to_view=0, head=0)
    scribe.tell(1, Act.RECEIVE_VIEW_CHANGE, height=0, view=3, sender=index, weight=1)
    scribe.tell(3, Act.HEAD, height=1, digest="bb" * 4, own_view=3, to_view=3, head=1)
    return [replace(record, index=0) if record.replica == "node3" else record for record in scribe.records]


def test_an_index_told_with_a_block_is_of_the_list_after_it() -> None:
    members = (Members(0, (1, 1, 1, 1)), Members(2, (1, 1, 1, 1)))
    assert not judged(new_sealers(0), members=members).breaches
    assert {breach.guard for breach in judged(new_sealers(0), members=members[:1]).breaches} == {"message.sent"}
