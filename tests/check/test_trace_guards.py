"""Every guard has a planted record that it refuses: the table is complete, so a guard that refuses nothing cannot be added."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from fiscotool.check.trace import Members, Mode, TraceContext, TraceVerdict, check_trace
from fiscotool.check.trace_guards import GUARDS
from fiscotool.pbft.trace import Act, TraceRecord
from tests.check.traces import Scribe, changed, clean_trace, place_of, without

Records = list[TraceRecord]
Planted = tuple[Records, dict[str, Any]]

OTHER = "0002dead"


def numbered(records: Records) -> Records:
    """As given, each replica's records in sequence within its lives, a millisecond apart."""
    found: Records = []
    sequences: dict[tuple[str, int], int] = {}
    for place, record in enumerate(records):
        key = (record.replica, record.life)
        found.append(replace(record, sequence=sequences.get(key, 0), at_s=place / 1000))
        sequences[key] = sequences.get(key, 0) + 1
    return found


def edit(act: Act, replica: str = "node1", height: int | None = 2, nth: int = 0, **values: Any) -> Planted:
    records = clean_trace()
    return changed(records, place_of(records, act, replica, height, nth), **values), {}


def drop(condition: Callable[[TraceRecord], bool]) -> Planted:
    return numbered(without(clean_trace(), condition)), {}


def insert(after: Act, act: Act, replica: str = "node1", after_height: int | None = 2, **values: Any) -> Planted:
    """A record more, right after another of the same replica."""
    records = clean_trace()
    place = place_of(records, after, replica, after_height)
    known = records[place]
    added = TraceRecord(replica, known.life, 0, 0.0, act, index=known.index, **values)
    return numbered([*records[: place + 1], added, *records[place + 1 :]]), {}


def textbook(planted: Planted) -> Planted:
    return planted[0], {**planted[1], "mode": Mode.TEXTBOOK}


def at(replica: str, act: Act, height: int | None = 2) -> Callable[[TraceRecord], bool]:
    return lambda r: r.replica == replica and r.act is act and (height is None or r.height == height)


def second_life(*tell: tuple[Act, dict[str, Any]], view: int = 3, height: int = 0) -> Planted:
    """Node1 accepts, prepares and is prepared at height 1, dies, begins again, recovers its view, and does as told."""
    scribe = Scribe()
    scribe.start()
    about = {"height": 1, "view": 3, "digest": "0001beef"}
    scribe.tell(0, Act.PROPOSE, **about)
    for index in (0, 1, 2):
        scribe.tell(index, Act.ACCEPT_PROPOSAL, sender=0, **about)
        scribe.tell(index, Act.SEND_PREPARE, **about)
    for place, sender in enumerate((0, 1, 2)):
        scribe.tell(1, Act.RECEIVE_PREPARE, sender=sender, weight=place + 1, **about)
    scribe.tell(1, Act.PREPARED, **about)
    scribe.tell(1, Act.START)
    scribe.tell(1, Act.HEAD, height=height, digest="aa" * 4, own_view=0, to_view=0)
    for place, sender in enumerate((0, 2, 3)):
        scribe.tell(1, Act.RECEIVE_RECOVER, height=height, view=view, sender=sender, weight=place + 1)
    scribe.tell(1, Act.RECOVER, height=height, view=view, own_view=view, to_view=view)
    for act, values in tell:
        scribe.tell(1, act, **values)
    return scribe.records, {"faulty": frozenset({"node0", "node2", "node3"})}


def view_change(*tell: tuple[int, Act, dict[str, Any]], reproposed: str = "0001beef") -> Planted:
    """Height 1 is prepared by three in view 3; all go to view 4, whose leader proposes `reproposed` again; then `tell`."""
    scribe = Scribe()
    scribe.start()
    about: dict[str, Any] = {"height": 1, "view": 3, "digest": "0001beef"}
    scribe.tell(0, Act.PROPOSE, **about)
    for index in range(4):
        scribe.tell(index, Act.ACCEPT_PROPOSAL, sender=0, **about)
        scribe.tell(index, Act.SEND_PREPARE, **about)
    for index in range(3):
        for sender in range(4):
            scribe.tell(index, Act.RECEIVE_PREPARE, sender=sender, weight=sender + 1, **about)
        scribe.tell(index, Act.PREPARED, **about)
    for index in range(4):
        scribe.tell(index, Act.TIMEOUT, height=0, view=3, own_view=3, to_view=4)
        scribe.tell(index, Act.SEND_VIEW_CHANGE, height=0, view=4)
    for sender in range(4):
        scribe.tell(1, Act.RECEIVE_VIEW_CHANGE, height=0, view=4, sender=sender, weight=sender + 1)
    scribe.tell(1, Act.REPROPOSE, height=1, view=4, digest=reproposed)
    scribe.tell(1, Act.SEND_NEW_VIEW, height=0, view=4)
    scribe.tell(1, Act.ENTER_VIEW, height=0, view=4, own_view=4, to_view=4)
    for index in (0, 2, 3):
        scribe.tell(index, Act.ACCEPT_NEW_VIEW, height=0, view=4, sender=1)
        scribe.tell(index, Act.ENTER_VIEW, height=0, view=4, own_view=4, to_view=4)
    for index, act, values in tell:
        scribe.tell(index, act, **values)
    return scribe.records, {}


def unproposed() -> Planted:
    """The new leader's NewView leaves out what three have prepared."""
    records, context = view_change()
    return numbered(without(records, lambda r: r.act is Act.REPROPOSE)), context


def two_point_x(*tell: tuple[Act, dict[str, Any]]) -> Planted:
    """Node1 of a 2.x chain, at the beginning of height 1; it is led by replica view mod 4."""
    scribe = Scribe()
    scribe.tell(1, Act.START)
    scribe.tell(1, Act.HEAD, height=0, digest="aa" * 4)
    for act, values in tell:
        scribe.tell(1, act, **values)
    return scribe.records, {"dialect": "fisco2", "faulty": frozenset({"node0", "node2", "node3"}), "tells_receives": False}


def locked_2x(digest: str) -> Planted:
    first = {"height": 1, "view": 0, "digest": "0001beef"}
    return two_point_x(
        (Act.ACCEPT_PROPOSAL, {**first, "sender": 0}),
        (Act.EXECUTED, {"height": 1, "digest": "0001cafe"}),
        (Act.SEND_PREPARE, first),
        (Act.PREPARED, first),
        (Act.SEND_VIEW_CHANGE, {"view": 1}),
        (Act.ENTER_VIEW, {"view": 1}),
        (Act.ACCEPT_PROPOSAL, {"height": 1, "view": 1, "digest": digest, "sender": 1}),
        (Act.EXECUTED, {"height": 1, "digest": "0003cafe"}),
    )


def unwritten_classic() -> Planted:
    scribe = Scribe()
    scribe.tell(1, Act.START)
    scribe.tell(1, Act.HEAD, height=0, digest="aa" * 4, own_view=0, to_view=0)
    scribe.tell(1, Act.LEDGER_COMMIT, height=1, digest="0001cafe")
    return scribe.records, {"dialect": "classic"}


def cycle() -> Planted:
    """Node1 counts node2's Commit before it sent the Prepare that node2 counted before it was prepared."""
    records = clean_trace(1)
    commit = place_of(records, Act.RECEIVE_COMMIT, "node1", 1, 2)
    send = place_of(records, Act.SEND_PREPARE, "node1", 1)
    moved = records[commit]
    return numbered([*records[:send], moved, *records[send:commit], *records[commit + 1 :]]), {"slack_s": 1e6}


def votes_of_another_view() -> Planted:
    """Two of the Prepares that node1 counts are of view 4, from replicas nobody watches."""
    records = [
        replace(r, view=4) if r.replica == "node1" and r.act is Act.RECEIVE_PREPARE and r.height == 2 and r.sender in {2, 3} else r
        for r in clean_trace()
    ]
    return records, {"faulty": frozenset({"node2", "node3"}), "mode": Mode.TEXTBOOK}


def waiting(act: Act, **values: Any) -> Planted:
    """Node1 has timed out in view 3 and does something."""
    records, context = insert(Act.HEAD, Act.TIMEOUT, height=1, view=3, own_view=3, to_view=4)
    place = place_of(records, Act.TIMEOUT, "node1", None, 1)
    added = replace(records[place], act=act, own_view=None, to_view=None, height=1, view=3)
    return numbered([*records[: place + 1], replace(added, **values), *records[place + 1 :]]), context


def insert_life() -> Planted:
    """Node1 begins again and finds nothing on its disk."""
    records = clean_trace()
    last = max(record.at_s for record in records)
    born = [
        TraceRecord("node1", 1, 0, last + 1, Act.START, index=1),
        TraceRecord("node1", 1, 1, last + 2, Act.HEAD, height=0, digest="aa" * 4, index=1, own_view=0, to_view=0, head=0),
    ]
    return [*records, *born], {}


def insert_asking() -> Planted:
    """Node1 asks for a view without a reason, twice."""
    records, context = insert(Act.HEAD, Act.SEND_VIEW_CHANGE, height=2, view=4)
    place = place_of(records, Act.SEND_VIEW_CHANGE, "node1", 2)
    return numbered([*records[: place + 1], replace(records[place], view=5), *records[place + 1 :]]), context


def recovered(answers: set[int]) -> Planted:
    records, context = second_life()
    kept = [r for r in records if not (r.act is Act.RECEIVE_RECOVER and r.sender not in answers)]
    return numbered(kept), context


PLANTED: dict[str, Callable[[], Planted]] = {
    "report.order": lambda: edit(Act.PREPARED, sequence=0),
    "message.sent": lambda: edit(Act.RECEIVE_PREPARE, nth=2, digest=OTHER),
    "message.before": cycle,
    "time.respected": lambda: edit(Act.RECEIVE_COMMIT, nth=2, at_s=0.0),
    "propose.leader": lambda: insert(Act.PREPARED, Act.PROPOSE, "node3", height=2, view=3, digest=OTHER),
    "propose.single": lambda: textbook(insert(Act.PROPOSE, Act.PROPOSE, "node1", height=2, view=3, digest=OTHER)),
    "propose.window": lambda: insert(Act.PROPOSE, Act.PROPOSE, "node1", height=54, view=3, digest=OTHER),
    "accept.single": lambda: insert(Act.PREPARED, Act.ACCEPT_PROPOSAL, "node0", height=2, view=3, digest=OTHER, sender=1),
    "accept.leader": lambda: second_life((Act.ACCEPT_PROPOSAL, {"height": 1, "view": 3, "digest": "0001beef", "sender": 2})),
    "accept.past": lambda: edit(Act.ACCEPT_PROPOSAL, "node0", view=2),
    "accept.view": lambda: textbook(edit(Act.ACCEPT_PROPOSAL, "node0", view=7)),
    "accept.proposed": lambda: edit(Act.ACCEPT_PROPOSAL, digest=OTHER),
    "accept.window": lambda: insert(Act.PREPARED, Act.ACCEPT_PROPOSAL, "node0", height=202, view=3, digest=OTHER, sender=1),
    "accept.reproposed": lambda: view_change((3, Act.ACCEPT_PROPOSAL, {"height": 1, "view": 4, "digest": OTHER, "sender": 2})),
    "prepare.accepted": lambda: drop(at("node0", Act.ACCEPT_PROPOSAL)),
    "prepare.single": lambda: insert(Act.SEND_PREPARE, Act.SEND_PREPARE, "node0", height=2, view=3, digest=OTHER),
    "prepare.durable": lambda: textbook(
        second_life(
            (Act.ACCEPT_PROPOSAL, {"height": 1, "view": 3, "digest": OTHER, "sender": 0}),
            (Act.SEND_PREPARE, {"height": 1, "view": 3, "digest": OTHER}),
        )
    ),
    "commit.single": lambda: insert(Act.SEND_COMMIT, Act.SEND_COMMIT, "node0", height=2, view=3, digest=OTHER),
    "commit.prepared": lambda: drop(at("node0", Act.PREPARED)),
    "vote.member": lambda: edit(Act.RECEIVE_PREPARE, nth=3, sender=9),
    "vote.distinct": lambda: insert(Act.RECEIVE_PREPARE, Act.RECEIVE_PREPARE, height=2, view=3, digest="0002beef", sender=0),
    "vote.weight": lambda: edit(Act.RECEIVE_COMMIT, nth=2, weight=4),
    "vote.window": lambda: insert(Act.HEAD, Act.RECEIVE_PREPARE, "node0", height=2, view=3, digest="0002beef", sender=3),
    "vote.view": lambda: edit(Act.SEND_PREPARE, "node0", view=5),
    "prepared.accepted": lambda: edit(Act.PREPARED, digest=OTHER),
    "prepared.quorum": lambda: drop(lambda r: at("node1", Act.RECEIVE_PREPARE)(r) and r.sender in {2, 3}),
    "prepared.view": votes_of_another_view,
    "prepared.calm": lambda: insert(Act.SEND_PREPARE, Act.TIMEOUT, height=1, view=3, own_view=3, to_view=4),
    "prepared.same": lambda: edit(Act.PREPARED, "node2", digest=OTHER),
    "committed.prepared": lambda: drop(lambda r: r.replica == "node0" and r.height == 2 and r.act is Act.PREPARED),
    "committed.quorum": lambda: drop(lambda r: at("node0", Act.RECEIVE_COMMIT)(r) and r.sender in {2, 3}),
    "committed.pulled": lambda: drop(at("node0", Act.RECEIVE_COMMIT)),
    "committed.voted": lambda: textbook(drop(at("node3", Act.RECEIVE_COMMIT))),
    "committed.single": lambda: insert(Act.COMMITTED_LOCAL, Act.COMMITTED_LOCAL, height=2, view=3, digest=OTHER),
    "committed.same": lambda: edit(Act.COMMITTED_LOCAL, "node3", digest=OTHER),
    "committed.backed": lambda: drop(lambda r: r.act is Act.PREPARED and r.height == 2),
    "executed.accepted": lambda: two_point_x((Act.EXECUTED, {"height": 1, "digest": "0001cafe"})),
    "executed.agreed": lambda: drop(at("node1", Act.COMMITTED_LOCAL)),
    "executed.order": lambda: insert(Act.COMMITTED_LOCAL, Act.EXECUTED, height=3, digest=OTHER),
    "executed.same": lambda: edit(Act.EXECUTED, "node2", digest=OTHER),
    "checkpoint.executed": lambda: edit(Act.SEND_CHECKPOINT, digest=OTHER),
    "checkpoint.single": lambda: insert(Act.SEND_CHECKPOINT, Act.SEND_CHECKPOINT, height=2, digest=OTHER),
    "stable.executed": lambda: edit(Act.STABLE, digest=OTHER),
    "stable.quorum": lambda: drop(lambda r: at("node1", Act.RECEIVE_CHECKPOINT)(r) and r.sender in {2, 3}),
    "ledger.stable": lambda: drop(at("node1", Act.STABLE)),
    "ledger.committed": unwritten_classic,
    "ledger.order": lambda: insert(Act.LEDGER_COMMIT, Act.SYNCED_BLOCK, height=1),
    "ledger.same": lambda: edit(Act.LEDGER_COMMIT, "node3", digest=OTHER),
    "head.written": lambda: insert(Act.HEAD, Act.HEAD, height=9, digest=OTHER),
    "head.durable": lambda: insert(Act.HEAD, Act.HEAD, height=1, digest="0001cafe"),
    "head.moved": lambda: edit(Act.ACCEPT_PROPOSAL, "node0", head=7),
    "disk.kept": lambda: textbook(insert_life()),
    "synced.known": lambda: insert(Act.HEAD, Act.SYNCED_BLOCK, height=7, digest=OTHER),
    "ask.cause": insert_asking,
    "ask.view": lambda: waiting(Act.SEND_VIEW_CHANGE, view=6),
    "view.behind": lambda: edit(Act.ACCEPT_PROPOSAL, "node0", to_view=1),
    "view.moved": lambda: edit(Act.ACCEPT_PROPOSAL, "node0", own_view=5, to_view=5),
    "view.grows": lambda: insert(Act.HEAD, Act.ENTER_VIEW, height=2, view=2, own_view=2, to_view=2),
    "view.again": lambda: textbook(insert(Act.HEAD, Act.ENTER_VIEW, height=2, view=3, own_view=3, to_view=3)),
    "enter.justified": lambda: drop(at("node1", Act.ACCEPT_NEW_VIEW, None)),
    "enter.quorum": lambda: drop(lambda r: r.replica == "node0" and r.act in {Act.SEND_NEW_VIEW, Act.RECEIVE_VIEW_CHANGE}),
    "enter.same": lambda: edit(Act.ENTER_VIEW, "node1", None, view=4),
    "recover.quorum": lambda: recovered({0, 2}),
    "recover.waiting": lambda: insert(Act.HEAD, Act.RECOVER, height=2, view=4, own_view=4, to_view=4),
    "recover.sent": lambda: waiting(Act.SEND_RECOVER),
    "newview.leader": lambda: edit(Act.ACCEPT_NEW_VIEW, "node1", None, sender=2),
    "newview.quorum": lambda: drop(lambda r: r.replica == "node0" and r.act is Act.RECEIVE_VIEW_CHANGE and r.sender in {2, 3}),
    "newview.single": lambda: textbook(insert(Act.SEND_NEW_VIEW, Act.SEND_NEW_VIEW, "node0", None, height=0, view=3)),
    "newview.complete": unproposed,
    "repropose.follows": lambda: view_change(reproposed=OTHER),
    "lock.fisco": lambda: view_change((0, Act.ACCEPT_PROPOSAL, {"height": 1, "view": 4, "digest": OTHER, "sender": 1}), reproposed=OTHER),
    "lock.textbook": lambda: insert(Act.PREPARED, Act.ACCEPT_PROPOSAL, "node0", height=2, view=3, digest=OTHER, sender=1),
    "lock.kept": lambda: locked_2x(OTHER),
    "lock.durable": lambda: textbook(second_life((Act.ACCEPT_PROPOSAL, {"height": 1, "view": 3, "digest": OTHER, "sender": 0}))),
    "timeout.idle": lambda: insert(Act.COMMITTED_LOCAL, Act.TIMEOUT, height=1, view=3, own_view=3, to_view=4),
    "timeout.cycle": lambda: insert(Act.HEAD, Act.TIMEOUT, height=2, view=3, own_view=3, to_view=4, change_cycle=4),
    "timeout.view": lambda: insert(Act.HEAD, Act.TIMEOUT, height=2, view=3, own_view=3, to_view=9),
    "join.weight": lambda: insert(Act.HEAD, Act.FAST_VIEW_CHANGE, height=2, view=8, own_view=3, to_view=3),
}


def judged(planted: Planted) -> TraceVerdict:
    records, more = planted
    return check_trace(records, context=TraceContext(members=(Members(0, (1, 1, 1, 1)),), **more))


@pytest.mark.parametrize("guard", sorted(GUARDS))
def test_a_planted_record_is_refused(guard: str) -> None:
    assert guard in PLANTED, "a guard without a planted bug"
    verdict = judged(PLANTED[guard]())
    assert verdict.counters.guards[guard] > 0
    if GUARDS[guard].binds == "none":
        assert guard in {breach.guard for breach in verdict.deviations}
        return
    assert guard in {breach.guard for breach in verdict.breaches}, [breach.sentence for breach in verdict.breaches]
    for breach in verdict.breaches:
        assert breach.rule == GUARDS[breach.guard].rule
        assert breach.record.replica in breach.sentence


def test_what_is_planted_in_is_clean() -> None:
    for planted in (
        (clean_trace(), {}),
        second_life(),
        view_change((0, Act.ACCEPT_PROPOSAL, {"height": 1, "view": 4, "digest": "0001beef", "sender": 2})),
        locked_2x("0001beef"),
    ):
        verdict = judged(planted)
        assert not [b for b in verdict.breaches if b.guard != "executed.same"], [b.sentence for b in verdict.breaches]
