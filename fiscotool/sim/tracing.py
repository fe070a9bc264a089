"""A simulated run as a trace: what every step of every replica was, in the words of `pbft.trace`.

    cluster.listeners.append(Tracer(cluster).on_step)

Rule 1. A step becomes records in the order in which the core does things: what was counted, what it asks for, the view it enters, what it
        accepts, prepares, agrees on and executes, then what leaves.
Rule 2. The records of a step have the time of the step. A record before the view is entered tells the view before.
Rule 3. Only what happened is told: of a step that a crash cut short, the effects done.

Sources: `devnet.narration`, which tells the same in the words of a log; spec 3.x 5.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fiscotool.pbft import effects as do
from fiscotool.pbft import events as ev
from fiscotool.pbft.messages import CheckPoint, Commit, Message, NewView, Prepare, PrePrepare, RecoverResponse, ViewChange
from fiscotool.pbft.quorum import weight_of
from fiscotool.pbft.trace import Act, TraceRecord
from fiscotool.sim.tracing_slots import counted, slot_acts, votes_in

if TYPE_CHECKING:
    from fiscotool.pbft.rules import Rules
    from fiscotool.sim.cluster import Cluster

__all__ = ["Tracer"]

TICKS_A_SECOND = 1000


class Tracer:
    """A listener of a `Cluster`. `records` grows as the run goes on."""

    def __init__(self, cluster: Cluster) -> None:
        self.records: list[TraceRecord] = []
        self._cluster = cluster
        self._places: dict[str, list[int]] = {}
        self._dialect = cluster.dialect.name
        rules = cluster.replicas[0].rules
        self.members: dict[int, tuple[tuple[int, ...], int]] = {0: (rules.weights, rules.leader_period_blocks)}
        """From which height on: the weights, and how many heights one leads."""

    def on_step(self, name: str, event: ev.Event, before: Any, after: Any, effects: tuple[do.Effect, ...]) -> None:
        """The core of `name` has taken a step; `effects` are those that were done."""
        if isinstance(event, ev.Started):
            self._tell(name, before, Act.START)
            self._tell(name, before, Act.HEAD, height=before.height, digest=before.block_hash, told=before)
        if after is before and not effects:
            return
        if isinstance(event, ev.Received):
            self._received(name, event.message, before, after)
        elif isinstance(event, ev.LedgerAdvanced) and after.height != before.height:
            act = Act.SYNCED_BLOCK if event.by_sync else Act.LEDGER_COMMIT
            self._tell(name, before, act, height=event.index, digest=event.block_hash)
            self._tell(name, after, Act.HEAD, height=event.index, digest=event.block_hash, told=after)
            self._note_members(int(event.index) + 1, event.rules)
        elif isinstance(event, ev.Executed) and event.block_hash is not None and self._is_taken(event, before, after):
            self._tell(name, before, Act.EXECUTED, height=event.index, digest=event.block_hash)
        if isinstance(event, ev.Executed) and self._dialect == "fisco2":
            for message in before.deferred if not after.deferred else ():
                if isinstance(message, ViewChange) and message not in before.view_changes and message.view > before.view:
                    what: dict[str, Any] = {"view": message.view, "digest": message.digest, "sender": message.sender}
                    self._tell(name, before, Act.RECEIVE_VIEW_CHANGE, height=message.index, **what)
        for effect in effects:
            if isinstance(effect, do.Send) and isinstance(effect.message, RecoverResponse):
                self._tell(name, before, Act.SEND_RECOVER, height=effect.message.index, view=effect.message.view)
        is_again = _recovers_again(event, before, after)
        goes_on = (after.view > before.view or is_again) and after.to_view > after.view
        if not goes_on:
            self._asks(name, event, before, after, effects)
        own_new_view = next((e.message for e in effects if isinstance(e, do.Broadcast) and isinstance(e.message, NewView)), None)
        if own_new_view is not None:
            self._new_view(name, before, own_new_view)
        is_calm = self._dialect == "classic" and before.in_timeout and not after.in_timeout
        if (after.view > before.view or is_again or is_calm) and after.height == before.height:
            answers = isinstance(event, ev.Received) and isinstance(event.message, RecoverResponse)
            act = Act.RECOVER if answers else Act.ENTER_VIEW
            entered = after._replace(to_view=after.view, change_cycle=0 if goes_on else after.change_cycle)
            self._tell(name, after, act, height=after.height, view=after.view, told=entered)
        if goes_on:
            self._asks(name, event, before._replace(view=after.view, to_view=after.view), after, effects)
        acts = list(slot_acts(self._dialect, before, after))
        if self._dialect == "fisco2" and not any(isinstance(e, do.Broadcast) and isinstance(e.message, Commit) for e in effects):
            acts = [told for told in acts if told[0] is not Act.PREPARED]  # died before the lock was on disk
        accepted = [told for told in acts if told[0] is Act.ACCEPT_PROPOSAL]
        others = [told for told in acts if told[0] is not Act.ACCEPT_PROPOSAL]
        for act, height, view, digest, sender in (*accepted, *counted(self._dialect, before, after), *others):
            self._tell(name, after, act, height=height, view=view, digest=digest, sender=sender, told=after)
        for effect in effects:
            if isinstance(effect, do.Broadcast) and not isinstance(effect.message, ViewChange):
                self._broadcast(name, after, effect.message)

    def _note_members(self, since: int, rules: Rules) -> None:
        """Members from a height on, where they are others than below."""
        last = max(height for height in self.members if height <= since)
        if self.members[last] != (rules.weights, rules.leader_period_blocks):
            self.members[since] = (rules.weights, rules.leader_period_blocks)

    def _is_taken(self, event: ev.Executed, before: Any, after: Any) -> bool:
        """Whether this result was the one waited for."""
        if self._dialect == "fisco2":
            return bool(after.executed_hash == event.block_hash and before.executed_hash != event.block_hash)
        return bool(after is not before)

    def _tell(
        self,
        name: str,
        mine: Any,
        act: Act,
        *,
        height: int | None = None,
        view: int | None = None,
        digest: bytes = b"",
        sender: int | None = None,
        weight: int | None = None,
        told: Any = None,
    ) -> None:
        """One record; `mine` says who tells, `told` is the state it tells of itself."""
        place = self._places.setdefault(name, [-1, 0])
        if act is Act.START:
            place[0] += 1
            place[1] = 0
        self.records.append(
            TraceRecord(
                replica=name,
                life=max(0, place[0]),
                sequence=place[1],
                at_s=self._cluster.now / TICKS_A_SECOND,
                act=act,
                height=height,
                view=view,
                digest=digest.hex(),
                sender=sender,
                weight=weight,
                index=mine.me,
                own_view=told.view if told is not None else None,
                to_view=told.to_view if told is not None else None,
                head=told.height if told is not None else None,
                change_cycle=told.change_cycle if told is not None else None,
            )
        )
        place[1] += 1

    def _received(self, name: str, message: Message, before: Any, after: Any) -> None:
        """What of this message was counted."""
        height, weights = message.index, after.rules.weights
        if isinstance(message, Prepare | Commit | CheckPoint):
            if self._dialect != "fisco3":
                return
            cast, known = votes_in(after, message), votes_in(before, message)
            if message not in cast or message in known:
                return
            weight = weight_of((vote.sender for vote in cast if vote.digest == message.digest), weights)
            acts: dict[type, Act] = {Prepare: Act.RECEIVE_PREPARE, Commit: Act.RECEIVE_COMMIT, CheckPoint: Act.RECEIVE_CHECKPOINT}
            what: dict[str, Any] = {"view": message.view, "digest": message.digest, "sender": message.sender, "weight": weight}
            self._tell(name, before, acts[type(message)], height=height, **what)
        elif isinstance(message, ViewChange):
            has_moved = after.view != before.view
            if message not in before.view_changes and (message in after.view_changes or has_moved):
                senders = {message.sender, *(vc.sender for vc in before.view_changes if vc.view == message.view)}
                weight = weight_of(senders, before.rules.weights)
                what = {"view": message.view, "digest": message.digest, "sender": message.sender, "weight": weight}
                self._tell(name, before, Act.RECEIVE_VIEW_CHANGE, height=height, **what)
        elif isinstance(message, RecoverResponse):
            recoveries = getattr(after, "recoveries", ())
            is_again = _recovers_again(ev.Received(message), before, after)
            if (message.sender, message.view) in recoveries or after.view != before.view or is_again:
                senders = {message.sender, *(sender for sender, view in before.recoveries if view == message.view)}
                weight = weight_of(senders, before.rules.weights)
                what = {"view": message.view, "sender": message.sender, "weight": weight}
                self._tell(name, before, Act.RECEIVE_RECOVER, height=height, **what)
        elif isinstance(message, NewView) and after.view > before.view and message.sender != before.me:
            self._tell(name, before, Act.ACCEPT_NEW_VIEW, height=height, view=message.view, sender=message.sender)

    def _asks(self, name: str, event: ev.Event, before: Any, after: Any, effects: tuple[do.Effect, ...]) -> None:
        """Why the next view is asked for, and the asking."""
        self._reason(name, event, before, after, effects)
        for effect in effects:
            if isinstance(effect, do.Broadcast) and isinstance(effect.message, ViewChange):
                change = effect.message
                self._tell(name, after, Act.SEND_VIEW_CHANGE, height=change.index, view=change.view, digest=change.digest)

    def _reason(self, name: str, event: ev.Event, before: Any, after: Any, effects: tuple[do.Effect, ...]) -> None:
        asked = max((e.message.view for e in effects if isinstance(e, do.Broadcast) and isinstance(e.message, ViewChange)), default=None)
        if asked is None or asked <= before.to_view or isinstance(event, ev.Started):
            return
        if isinstance(event, ev.TimerFired) and event.name is ev.TimerName.VIEW:
            self._tell(
                name, before, Act.TIMEOUT, height=after.height, view=before.view, told=after._replace(view=before.view, to_view=asked)
            )
        elif (isinstance(event, ev.Received) and isinstance(event.message, ViewChange)) or (
            self._dialect == "fisco2" and asked > before.to_view + 1
        ):
            self._tell(name, before, Act.FAST_VIEW_CHANGE, height=after.height, view=asked, told=before)
        else:
            told = before._replace(height=after.height)
            self._tell(name, before, Act.FAST_VIEW_CHANGE, height=after.height, view=before.view, told=told)

    def _new_view(self, name: str, before: Any, message: NewView) -> None:
        """The own NewView, and what it proposes again."""
        for again in message.preprepares:
            self._tell(name, before, Act.REPROPOSE, height=again.index, view=again.view, digest=again.digest)
        self._tell(name, before, Act.SEND_NEW_VIEW, height=message.index, view=message.view)

    def _broadcast(self, name: str, state: Any, message: Message) -> None:
        """What leaves for all others."""
        what: dict[str, Any] = {"height": message.index, "view": getattr(message, "view", None), "digest": getattr(message, "digest", b"")}
        if isinstance(message, PrePrepare):
            self._tell(name, state, Act.PROPOSE, **what)
        elif isinstance(message, Prepare):
            self._tell(name, state, Act.SEND_PREPARE, **what)
        elif isinstance(message, Commit):
            self._tell(name, state, Act.SEND_COMMIT, **what)
        elif isinstance(message, CheckPoint):
            self._tell(name, state, Act.SEND_CHECKPOINT, **what)


def _recovers_again(event: ev.Event, before: Any, after: Any) -> bool:
    """Whether this step recovers the view the replica is in already: it waited for one, and the answers are used up."""
    if not isinstance(event, ev.Received) or not isinstance(event.message, RecoverResponse) or after.view != before.view:
        return False
    message, known = event.message, getattr(before, "recoveries", ())
    is_used = (message.sender, message.view) not in getattr(after, "recoveries", ())
    backers = {message.sender, *(sender for sender, view in known if view == message.view)}
    enough = weight_of(backers, before.rules.weights) >= before.quorum_weight
    return bool(before.in_timeout and message.view == before.view and is_used and enough)
