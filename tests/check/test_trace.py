"""Judging a trace: clean ones are consistent, and every guard rejects what it is there for."""

from __future__ import annotations

from fiscotool.check.trace import Members, Mode, TraceContext, TraceVerdict, Verdict, check_trace
from fiscotool.pbft.trace import Act, TraceRecord
from tests.check.traces import Scribe, changed, clean_trace, place_of, without


def judged(records: list[TraceRecord], **context: object) -> TraceVerdict:
    return check_trace(records, context=TraceContext(**context))  # type: ignore[arg-type]


def test_a_clean_trace_is_consistent_with_a_witness_that_uses_every_record() -> None:
    records = clean_trace()
    verdict = judged(records)
    assert verdict.verdict is Verdict.CONSISTENT
    assert verdict.first is None
    assert sorted(verdict.witness) == list(range(len(records)))
    assert verdict.counters.guards["prepared.quorum"] == 12
    assert verdict.counters.margins["prepared.quorum"] == 1
    assert verdict.counters.acts[Act.PREPARED] == 12
    assert not verdict.deviations


def test_the_order_in_which_replicas_are_given_does_not_matter() -> None:
    records = clean_trace()
    by_replica = sorted(records, key=lambda record: record.replica, reverse=True)
    assert judged(by_replica).verdict is Verdict.CONSISTENT


def test_no_records_decide_nothing() -> None:
    verdict = judged([])
    assert verdict.verdict is Verdict.INCONCLUSIVE
    assert verdict.lacks[0].is_decisive
    assert judged([TraceRecord("node0", 0, 0, 0.0, Act.START)]).verdict is Verdict.VACUOUS


def test_prepared_on_two_votes_names_the_guard_and_by_how_much() -> None:
    """The quorum's third vote was never received by node1."""
    records = without(
        clean_trace(), lambda r: r.replica == "node1" and r.act is Act.RECEIVE_PREPARE and r.height == 2 and r.sender in {1, 3}
    )
    verdict = judged(records)
    assert verdict.verdict is Verdict.VIOLATION
    assert verdict.first is not None
    quorum = next(breach for breach in verdict.breaches if breach.guard == "prepared.quorum")
    assert (quorum.rule, quorum.need, quorum.have) == ("G3", 3, 2)
    assert "needs weight 3, has {0,2}=2" in quorum.text
    assert quorum.record.act is Act.PREPARED
    assert Act.RECEIVE_PREPARE in quorum.enabled


def test_a_vote_nobody_sent_is_found() -> None:
    records = without(
        clean_trace(),
        lambda r: (
            r.replica == "node3" and r.height == 2 and (r.act is Act.SEND_PREPARE or (r.act is Act.RECEIVE_PREPARE and r.sender == 3))
        ),
    )
    first = judged(records).first
    assert first is not None
    assert first.guard == "message.sent"
    assert judged(records, faulty=frozenset({"node3"})).verdict is Verdict.CONSISTENT


def test_receiving_before_sending_is_a_cycle() -> None:
    """Node1 counts node2's Commit before it has sent the Prepare without which node2 could not have been prepared."""
    scribe = Scribe()
    scribe.start()
    scribe.block(1)
    records = scribe.records
    commit = place_of(records, Act.RECEIVE_COMMIT, "node1", 1, 2)
    accept = place_of(records, Act.ACCEPT_PROPOSAL, "node1", 1)
    moved = changed(records, commit, at_s=records[accept].at_s - 0.0005)
    record = moved.pop(commit)
    moved.insert(accept, record)
    verdict = judged(moved)
    assert verdict.verdict is Verdict.VIOLATION
    assert {breach.rule for breach in verdict.breaches} >= {"G12"}


def test_a_time_before_its_cause_is_found_beyond_the_slack() -> None:
    records = clean_trace()
    place = place_of(records, Act.RECEIVE_COMMIT, "node1", 2, 2)
    shifted = changed(records, place, at_s=records[place].at_s - 0.5)
    assert [breach.guard for breach in judged(shifted).breaches] == ["time.respected"]
    assert judged(shifted, slack_s=1.0).verdict is Verdict.CONSISTENT


def test_the_modes_differ_in_what_binds() -> None:
    """A proposal accepted in a later view than the own one: FISCO does it, the paper does not."""
    records = clean_trace(1)
    assert judged(records, mode=Mode.TEXTBOOK).verdict is Verdict.CONSISTENT
    assert TraceContext(members=(Members(0, (1, 1, 1, 1)), Members(8, (1,) * 5))).members_at(8).quorum == 4
