"""The conditions a record is tested by: to which property each belongs, in which mode it binds, and whether a missing line may explain it.

`both`: binds in either mode. `fisco` and `textbook`: binds in that mode, and is told as a deviation in the other. `lenient` guards speak of
something that must have come before in the same life; a report that may leave out lines is excused from it, a step at a time.

Sources: observables 3.2 (properties G1 to G12); spec 3.x 1.8 to 1.17; spec 2.x 1.5 to 1.13; Castro & Liskov, OSDI'99, sections 4.2 to 4.4.
"""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["GUARDS", "Guard"]


class Guard(NamedTuple):
    """One condition. `says` is what must hold, for people."""

    rule: str
    says: str
    binds: str = "both"
    lenient: bool = False


GUARDS: Final[dict[str, Guard]] = {
    # What a report must be before it can be judged.
    "report.order": Guard("G12", "records of a life come in the order of their sequence, lives one after the other"),
    "message.sent": Guard("G12", "a message is received only if its sender sent it"),
    "message.before": Guard("G12", "program order and sending before receiving have no cycle"),
    "time.respected": Guard("G12", "what comes first is not told for a time after what follows it"),
    # G1, G2: proposals and own votes.
    "propose.leader": Guard("G2", "only the leader of a height in a view proposes it"),
    "propose.single": Guard("G1", "a leader proposes one digest a view and height", "textbook"),
    "propose.window": Guard("G11", "a leader proposes above its ledger and no further than the pipeline"),
    "accept.single": Guard("G1", "one digest is accepted a view and height"),
    "accept.leader": Guard("G2", "a proposal is accepted from the leader of its height and view, or out of the view's NewView"),
    "accept.past": Guard("G2", "no proposal of a past view is accepted"),
    "accept.view": Guard("G2", "a proposal is accepted in its own view", "textbook"),
    "accept.proposed": Guard("G2", "a leader accepts of its own proposals only what it has proposed"),
    "accept.window": Guard("G11", "a proposal is accepted above the ledger and within the window"),
    "prepare.accepted": Guard("G2", "a Prepare is sent for a proposal accepted before", lenient=True),
    "prepare.single": Guard("G1", "one digest is prepared for a view and height in one life"),
    "prepare.durable": Guard("G1", "one digest is prepared for a view and height in all lives", "textbook"),
    "commit.single": Guard("G1", "one Commit is sent a view and height"),
    "commit.prepared": Guard("G4", "a Commit is sent for what was prepared before", lenient=True),
    # G3, G4: votes of others, quorums.
    "vote.member": Guard("G3", "only members vote"),
    "vote.distinct": Guard("G3", "a member's vote for one thing counts once"),
    "vote.weight": Guard("G3", "the weight told is that of the distinct votes counted", lenient=True),
    "vote.view": Guard("G2", "an own vote names the view of what it is for, or the own one"),
    "vote.window": Guard("G11", "votes for blocks of the ledger are not counted"),
    "prepared.accepted": Guard("G3", "what is prepared was accepted before, in this view", lenient=True),
    "prepared.quorum": Guard("G3", "prepared needs Prepares of a quorum", lenient=True),
    "prepared.view": Guard("G3", "Prepares of a quorum in the view itself", "textbook"),
    "prepared.calm": Guard("G3", "nothing is prepared while waiting for a view"),
    "committed.prepared": Guard("G4", "what is committed was prepared before, in this view", lenient=True),
    "committed.quorum": Guard("G4", "committed needs Commits of a quorum", lenient=True),
    "committed.pulled": Guard("G4", "what is agreed without a quorum's Commits was pulled, and others have executed the height", "fisco"),
    "committed.voted": Guard("G4", "a proposal is agreed on by Commits of a quorum", "textbook"),
    "committed.single": Guard("G4", "a height is agreed once"),
    "executed.accepted": Guard("G2", "what is executed was accepted before", lenient=True),
    "executed.agreed": Guard("G4", "what is executed was agreed before", lenient=True),
    "executed.order": Guard("G4", "heights are executed in order", lenient=True),
    "executed.same": Guard("G4", "executing the same proposal gives the same result everywhere"),
    "checkpoint.executed": Guard("G4", "a checkpoint names what was executed here", lenient=True),
    "checkpoint.single": Guard("G4", "one result is signed a height"),
    "stable.executed": Guard("G4", "what is stable was executed here", lenient=True),
    "stable.quorum": Guard("G4", "stable needs checkpoints of a quorum for the result computed here", lenient=True),
    "ledger.stable": Guard("G4", "what is written was stable before", lenient=True),
    "ledger.committed": Guard("G4", "what is written was committed before", lenient=True),
    "ledger.order": Guard("G4", "blocks are written in order", lenient=True),
    "ledger.same": Guard("G5", "one block a height in all ledgers"),
    "head.written": Guard("G4", "a head is reported for a block that was written or synchronised", lenient=True),
    "head.durable": Guard("G4", "a ledger does not get shorter, nor its blocks others"),
    "disk.kept": Guard("G4", "the ledger a process finds is the one the last process left", "textbook"),
    "synced.known": Guard("G5", "a block is synchronised only if somebody had it"),
    "committed.backed": Guard("G5", "what one commits, honest members of a quorum less f have prepared before"),
    "committed.same": Guard("G5", "one proposal is agreed a height"),
    "prepared.same": Guard("G6", "one digest is prepared a view and height by all"),
    # G7, G9: views.
    "ask.cause": Guard("G9", "a view is asked for after a time-out, a faulty leader or others ahead", lenient=True),
    "ask.view": Guard("G9", "the view asked for is the one after the last asked for, or the one others have come to"),
    "view.behind": Guard("G9", "the view asked for is not below the view"),
    "view.moved": Guard("G9", "the view changes only by entering a new view or recovering one", lenient=True),
    "view.grows": Guard("G9", "a view is entered that is above the last"),
    "view.again": Guard("G9", "a view is entered once", "textbook"),
    "enter.justified": Guard("G9", "a view is entered by a NewView sent or accepted", lenient=True),
    "enter.same": Guard("G9", "the view entered is the one the replica is in then"),
    "enter.quorum": Guard("G7", "a view is entered on view changes of a quorum", lenient=True),
    "recover.quorum": Guard("G9", "a view is recovered on answers of a quorum of others", lenient=True),
    "recover.waiting": Guard("G9", "a view is recovered only while waiting for one"),
    "recover.sent": Guard("G9", "answers are given only by who is in a view and not waiting"),
    "newview.leader": Guard("G7", "a NewView comes from the leader of the view"),
    "newview.quorum": Guard("G7", "a NewView needs view changes of a quorum of distinct members", lenient=True),
    "newview.single": Guard("G7", "one NewView is sent a view", "textbook"),
    "repropose.follows": Guard("G7", "what a NewView proposes again is what its view changes report, the latest view first"),
    "newview.complete": Guard("G7", "a NewView proposes again every height that its view changes report as prepared", lenient=True),
    "accept.reproposed": Guard("G7", "what is accepted out of a NewView is in it"),
    # G8: locks.
    "lock.fisco": Guard("G8", "what is prepared at a height is never given up for another digest", "none"),
    "lock.textbook": Guard("G8", "what is prepared at a height is given up only in a later view and for what its NewView shows"),
    "lock.kept": Guard("G8", "what a replica is locked on is never given up before its height is in the ledger"),
    "lock.durable": Guard("G8", "a lock survives a restart", "textbook"),
    # G10: timers.
    "timeout.idle": Guard("G10", "no view change is begun by the timer while a proposal is being executed"),
    "timeout.cycle": Guard("G10", "each time-out in a row raises the change cycle by one, to its maximum", lenient=True),
    "timeout.view": Guard("G10", "a time-out asks for the view after the one asked for"),
    "join.weight": Guard("G10", "others are joined in a view change only when more than f ask for one later view", lenient=True),
    "head.moved": Guard("G4", "the head told is that of the last report", lenient=True),
}
"""By name. `binds` "none" only counts: which lock rule held is reported, the weaker one binds."""
