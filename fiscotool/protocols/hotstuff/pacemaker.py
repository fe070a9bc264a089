"""Views: how replicas come to be in the same one long enough. The paper leaves this open; its safety does not depend on it.

Rule 1. Who voted in a view goes on to the next; so does who sees a certificate of its view or of a later one, and who waited too long.
        The timer runs while something waits to be agreed.
Rule 2. Who gave up tells the leader of the next view the highest certificate it knows: n messages, not n squared. From the second
        view in a row that failed on it tells everyone, since the replicas may be in different views; who sees f+1 others in later views
        follows them. That second part costs n squared messages; no pacemaker with timers alone is known to do without.
Rule 3. It adds its latest vote. Otherwise a certificate is lost whenever its collector, the leader of the next view, is down; with four
        replicas in turn and one down no three certificates in a row would ever survive, and nothing be committed.
Rule 4. Who is asked for a view that it left more than one view ago answers with its own; one view ago a proposal is on its way.

Sources: Yin et al., PODC 2019, section 4.2 (nextView interrupt), section 6 (pacemaker), algorithm 5. Rules 3 and 4 are ours.
"""

from __future__ import annotations

from dataclasses import replace

from fiscotool.pbft.effects import CancelTimer, Effect, SetTimer
from fiscotool.pbft.events import TimerName
from fiscotool.pbft.types import NO_DIGEST, Height, NodeIndex, View
from fiscotool.protocols.hotstuff import leading, tree, voting
from fiscotool.protocols.hotstuff.messages import Certificate, NewView
from fiscotool.protocols.hotstuff.state import ReplicaState, has_honest, leader_of, timeout_ticks
from fiscotool.protocols.words import broadcast, send

TELL_ALL_CYCLE = 2
"""Views in a row that must have failed before everyone is told (rule 2)."""


def is_busy(state: ReplicaState) -> bool:
    """Whether there is something to agree on."""
    return state.me is not None and (state.pool > 0 or tree.is_waiting(state))


def settle(state: ReplicaState, out: list[Effect]) -> ReplicaState:
    """The timer runs when and only when there is something to agree on; looked at after every step."""
    if is_busy(state) == state.is_armed:
        return state
    if not state.is_armed:
        return _arm(state, out)
    out.append(CancelTimer(TimerName.VIEW))
    return replace(state, is_armed=False, cycle=0)


def _arm(state: ReplicaState, out: list[Effect]) -> ReplicaState:
    """The time this view may take."""
    epoch = state.epoch + 1
    out.append(SetTimer(TimerName.VIEW, epoch, timeout_ticks(state.rules, state.cycle)))
    return replace(state, epoch=epoch, is_armed=True)


def enter(state: ReplicaState, view: View, out: list[Effect], *, cycle: int) -> ReplicaState:
    """Be in a later view."""
    assert view > state.view
    high = state.high.view
    new = replace(
        state,
        view=view,
        cycle=cycle,
        verifying=NO_DIGEST,
        votes=tuple(vote for vote in state.votes if vote.view > high),
        asks=tuple(ask for ask in state.asks if ask.view >= view),
    )
    new = leading.stop(new, out)
    if new.is_armed:
        new = _arm(new, out)
    return proceed(new, out)


def proceed(state: ReplicaState, out: list[Effect]) -> ReplicaState:
    """Vote if this view's node is here, and if so go on (rule 1); propose if it is one's turn. After everything that could allow it."""
    new = voting.consider(state, out)
    if new.voted_view >= new.view:
        return enter(new, View(new.voted_view + 1), out, cycle=new.cycle)
    return leading.lead(new, out)


def learn(state: ReplicaState, certificate: Certificate, out: list[Effect]) -> ReplicaState:
    """A certificate for a known node: maybe the highest, maybe the end of this view (rule 1)."""
    if certificate.view > state.high.view:
        state = replace(state, high=certificate, cycle=0)
    if certificate.view >= state.view:
        state = enter(state, View(certificate.view + 1), out, cycle=0)
    return state


def on_timer(state: ReplicaState, epoch: int, out: list[Effect]) -> ReplicaState:
    """This view took too long (rule 2)."""
    if epoch != state.epoch or not state.is_armed:
        return state
    new = enter(state, View(state.view + 1), out, cycle=state.cycle + 1)
    return ask(new, out)


def ask(state: ReplicaState, out: list[Effect]) -> ReplicaState:
    """Tell the leader of this view, or everyone, that it should begin."""
    message = mine(state)
    out.append(broadcast(message) if state.cycle >= TELL_ALL_CYCLE else send(leader_of(state.view, state.rules), message))
    return state


def mine(state: ReplicaState) -> NewView:
    """Where this replica is and the best it knows."""
    assert state.me is not None
    vote = state.last_vote if state.last_vote is not None and state.last_vote.view > state.high.view else None
    return NewView(state.view, state.me, Height(state.height), state.high, vote)


def follow(state: ReplicaState, out: list[Effect]) -> ReplicaState:
    """Rule 2: with f+1 replicas in later views, one correct replica at least has given up on this one."""
    ahead = sorted((ask.view, ask.sender) for ask in state.asks if ask.view > state.view)
    senders: list[NodeIndex] = []
    for view, sender in reversed(ahead):
        senders.append(sender)
        if has_honest(senders, state.rules):
            new = enter(state, view, out, cycle=max(state.cycle, TELL_ALL_CYCLE))
            return ask(new, out)
    return state
