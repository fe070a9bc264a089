"""Tells the log what a core of `classic` does, in the words a 3.x node has for the same thing.

    here                                        3.x says
    prepared, with a certificate                intoPrecommit
    committed-local                             ######## CommitProposal
    own checkpoint sent (every 5th block)       onProposalApplySuccess
    a checkpoint became stable                  checkAndCommitStableCheckPoint
    f+1 ask for a view: join them               tryToTriggerFastViewChange

Rule. As in narration.py: everything is derived from events, effects and the difference of two states. What 3.x has and the paper has not
(recovery, system proposals) is not said, or told as 0.

Sources: OSDI'99 sections 4.2 to 4.4; spec 3.x 5.1, 5.2.
"""

from __future__ import annotations

from typing import Any, Final

from fiscotool.devnet.log import NodeLog, short_hash
from fiscotool.devnet.narration import message_fields
from fiscotool.pbft.classic.state import ReplicaState, Slot, find_slot
from fiscotool.pbft.classic.timers import timeout_ticks
from fiscotool.pbft.effects import Broadcast, Effect, Reject, SealRange
from fiscotool.pbft.events import Event, LedgerAdvanced, Received, TimerFired, TimerName
from fiscotool.pbft.messages import CheckPoint, Commit, Message, NewView, Prepare, PrePrepare, ViewChange
from fiscotool.pbft.quorum import weight_of

__all__ = ["ClassicNarrator"]

_PBFT: Final = "CONSENSUS][PBFT"
_NOT_A_SEALER: Final = 2**64 - 1


def state_fields(state: ReplicaState, node_id: str) -> dict[str, Any]:
    """The fields STATE of spec 3.x 5.1; what the paper has no word for is 0."""
    return {
        "committedIndex": state.height,
        "consNum": state.height + 1,
        "committedHash": short_hash(state.block_hash),
        "view": state.view,
        "toView": state.to_view,
        "changeCycle": state.change_cycle,
        "expectedCheckPoint": state.height + 1,
        "Idx": _NOT_A_SEALER if state.me is None else state.me,
        "sealUntil": 0,
        "waitResealUntil": 0,
        "consensusTimeout": timeout_ticks(state.rules, 0),
        "nodeId": node_id[:8] + "...",
    }


class ClassicNarrator:
    """The driver's witness (`driver.Witness`)."""

    def __init__(self, log: NodeLog, node_id: bytes) -> None:
        self._log = log
        self._node_id = node_id.hex()

    def _state(self, state: ReplicaState) -> dict[str, Any]:
        return state_fields(state, self._node_id)

    def _report(self, state: ReplicaState) -> None:
        """A block is in the ledger. Readers of logs learn from this line which protocol it was: the leader is another one than in 3.x."""
        self._log.info(
            f"{_PBFT}][METRIC",
            "resetConfig",
            committedIndex=state.height,
            propHash=short_hash(state.block_hash),
            leaderPeriod=state.rules.leader_period_blocks,
            consensusNodesSize=state.rules.node_count,
        )
        self._log.info(f"{_PBFT}][METRIC", "^^^^^^^^Report", **self._state(state), protocol="classic")

    def started(self, state: ReplicaState) -> None:
        """The process has loaded its ledger."""
        self._log.info(_PBFT, "create PBFTCodec")
        self._log.info(_PBFT, "init PBFT success", **self._state(state))
        self._report(state)
        self._log.info(_PBFT, "Start the PBFT module.")

    def on_step(self, before: ReplicaState, event: Event, after: ReplicaState, effects: tuple[Effect, ...]) -> None:
        """The core has taken a step."""
        if not self._log.is_shown("info"):
            return
        if isinstance(event, LedgerAdvanced):
            self._report(after)
        if after.to_view > max(before.to_view, after.view):
            self._on_asking(event, after)
        if isinstance(event, Received):
            self._on_received(before, event.message, after)
        if after.view != before.view:
            self._log.info(_PBFT, "reachNewView", **self._state(after))
        if after.slots is not before.slots:
            self._on_slots(before, after)
        if after.low != before.low:
            proof = after.stable[0]
            self._log.info(_PBFT, "checkAndCommitStableCheckPoint", index=proof.index, hash=short_hash(proof.digest), **self._state(after))
        for effect in effects:
            if isinstance(effect, Reject) and self._log.is_shown("debug"):
                self._log.debug(
                    _PBFT, "message rejected", reason=effect.reason.value, **message_fields(effect.message), **self._state(after)
                )

    def _on_asking(self, event: Event, after: ReplicaState) -> None:
        if isinstance(event, TimerFired) and event.name is TimerName.VIEW:
            self._log.warning(_PBFT, "After onTimeout", **self._state(after), lockT=0, timecost=0)
        elif isinstance(event, Received):
            self._log.info(_PBFT, "tryToTriggerFastViewChange", viewToReach=after.to_view, **self._state(after))

    def _on_received(self, before: ReplicaState, message: Message, after: ReplicaState) -> None:
        """A message that was counted, with the weight it brings its kind to."""
        weights = after.rules.weights
        match message:
            case Prepare() | Commit():
                self._on_vote(before, message, after)
            case CheckPoint() if before.low < message.index and message not in before.checkpoints and _is_held(after, message):
                same = {each.sender for each in before.checkpoints if (each.index, each.digest) == (message.index, message.digest)}
                shown = {"Idx": after.me, "weight": weight_of({*same, message.sender}, weights), "minRequiredWeight": after.quorum_weight}
                self._log.info(_PBFT, "addCheckPointMsg", **message_fields(message), **shown)
            case ViewChange() if message in after.view_changes and message not in before.view_changes:
                senders = {each.sender for each in after.view_changes if each.view == message.view}
                weight = weight_of(senders, weights)
                self._log.info(
                    _PBFT,
                    "addViewChangeReq",
                    **message_fields(message),
                    weight=weight,
                    maxCommittedIndex=message.index,
                    **self._state(after),
                )
            case NewView() if after.view != before.view:
                self._log.info(_PBFT, "handleNewViewMsg success", **message_fields(message), **self._state(before))
            case _:
                pass

    def _on_vote(self, before: ReplicaState, vote: Prepare | Commit, after: ReplicaState) -> None:
        slot, known = find_slot(after, vote.index), find_slot(before, vote.index)
        if slot is None:
            return
        cast = _votes(slot, vote)
        if vote not in cast or (known is not None and vote in _votes(known, vote)):
            return
        weight = weight_of((each.sender for each in cast if each.digest == vote.digest), after.rules.weights)
        text = "addPrepareCache" if isinstance(vote, Prepare) else "addCommitCache"
        self._log.info(_PBFT, text, **message_fields(vote), **self._state(after), weight=weight)

    def _on_slots(self, before: ReplicaState, after: ReplicaState) -> None:
        for slot in after.slots:
            known = find_slot(before, slot.height)
            if slot is not known:
                self._on_slot(known or Slot(slot.height), slot, after)

    def _on_slot(self, before: Slot, slot: Slot, after: ReplicaState) -> None:
        info = self._log.info
        if slot.pre is not None and slot.pre is not before.pre:
            info(_PBFT, "addPrePrepareCache", **message_fields(slot.pre), sys=slot.pre.proposal.is_system, **self._state(after))
        if slot.cert is not None and slot.cert is not before.cert:
            digest, index = short_hash(slot.cert.proposal.digest), slot.height
            shown = {"reqHash": digest, "reqIndex": index, "reqV": slot.cert.view, "fromIdx": after.me, "wait(ms)": 0}
            info(_PBFT, "intoPrecommit", **shown, **self._state(after))
        if slot.committed is not None and slot.committed is not before.committed:
            shown = {"propHash": short_hash(slot.committed.digest), "propIndex": slot.height, "sys": slot.committed.is_system}
            info(_PBFT, "######## CommitProposal", **shown, **self._state(after))

    def on_applied(self, state: ReplicaState, effect: Effect) -> None:
        """An effect is being applied: what leaves is told when it leaves."""
        if not self._log.is_shown("info"):
            return
        info = self._log.info
        match effect:
            case Broadcast(message=ViewChange() as change):
                info(_PBFT, "broadcastViewChangeReq", **message_fields(change), packetSize=0)
            case Broadcast(message=NewView() as new_view):
                info(_PBFT, "The next leader broadcast NewView request", **message_fields(new_view), Idx=state.me)
            case Broadcast(message=PrePrepare() as made):
                shown = {"index": made.index, "Idx": state.me, "hash": short_hash(made.digest), "sysProposal": made.proposal.is_system}
                info(_PBFT, "++++++++++++++++ Generating seal on", **shown)
            case Broadcast(message=Prepare(index=index)):
                info(_PBFT, "broadcast prepare packet", packetSize=0, index=index)
            case Broadcast(message=Commit(index=index, digest=digest)):
                info(_PBFT, "checkAndPreCommit: broadcast commitMsg", Idx=state.me, hash=short_hash(digest), index=index)
            case Broadcast(message=CheckPoint(index=index, digest=digest)):
                info(_PBFT, "onProposalApplySuccess", index=index, hash=short_hash(digest))
            case SealRange(first=first, last=last) if first <= last:
                text = "notifySealer: notify the new leader to seal block"
                info(_PBFT, text, idx=state.me, startIndex=first, endIndex=last, **self._state(state))
            case _:
                pass


def _votes(slot: Slot, vote: Prepare | Commit) -> tuple[Prepare | Commit, ...]:
    """The votes of the kind of `vote` that `slot` has."""
    return slot.prepares if isinstance(vote, Prepare) else slot.commits


def _is_held(state: ReplicaState, message: CheckPoint) -> bool:
    """Whether the checkpoint is counted, or was, and has become stable with this step."""
    return message in state.checkpoints or message.index <= state.low
