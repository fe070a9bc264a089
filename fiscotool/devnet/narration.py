"""Tells the log what the core does, in the real node's words, so that one parser reads the logs of both.

Rule 1. Everything is derived from events, effects and the difference of two states; the core itself knows nothing of logs.
Rule 2. A line has the text, the order and the fields of the real node's, so far as there is something to put in them; docs/logs.md lists
        the lines that are missing or differ.

Sources: spec 3.x 5.1, 5.2; bcos-pbft `PBFTConfig::printCurrentState`, `printPBFTMsgInfo`, `printPBFTProposal`.
"""

from __future__ import annotations

from typing import Any, Final

from fiscotool.devnet.contracts import ExecutedBlock
from fiscotool.devnet.log import NodeLog, short_hash
from fiscotool.devnet.proposals import ContentCache
from fiscotool.ledger.errors import LedgerFormatError
from fiscotool.pbft.effects import Broadcast, Effect, Reject, SealRange, Send
from fiscotool.pbft.events import Event, LedgerAdvanced, Proposed, Received, TimerFired, TimerName
from fiscotool.pbft.messages import CheckPoint, Commit, Message, NewView, Prepare, PrePrepare, RecoverResponse, ViewChange
from fiscotool.pbft.quorum import leader_of, weight_of
from fiscotool.pbft.state import ReplicaState, Slot
from fiscotool.pbft.timers import timeout_ticks
from fiscotool.pbft.types import Height, NodeIndex

__all__ = ["Narrator", "message_fields", "state_fields", "tell_written"]

_PBFT: Final = "CONSENSUS][PBFT"
_NOT_A_SEALER: Final = 2**64 - 1


def state_fields(state: ReplicaState, node_id: str) -> dict[str, Any]:
    """The fields STATE of spec 5.1."""
    return {
        "committedIndex": state.height,
        "consNum": state.height + 1,
        "committedHash": short_hash(state.block_hash),
        "view": state.view,
        "toView": state.to_view,
        "changeCycle": state.change_cycle,
        "expectedCheckPoint": state.expected,
        "Idx": _NOT_A_SEALER if state.me is None else state.me,
        "sealUntil": state.wait_seal_until,
        "waitResealUntil": state.wait_reseal_until,
        "consensusTimeout": timeout_ticks(state.rules, 0),
        "nodeId": node_id[:8] + "...",
    }


def message_fields(message: Message) -> dict[str, Any]:
    """The fields MSG of spec 5.1."""
    return {
        "reqHash": short_hash(getattr(message, "digest", b"")),
        "reqIndex": message.index,
        "reqV": getattr(message, "view", 0),
        "fromIdx": message.sender,
        "wait(ms)": 0,
    }


def tell_written(node_log: NodeLog, block: ExecutedBlock, took_ms: int, *, is_synced: bool) -> None:
    """A block has become durable, by consensus or by block synchronisation."""
    number, digest, count = block.number, short_hash(block.block_hash), len(block.txs)
    if is_synced:
        node_log.info("BLOCK SYNC", "commitBlock", number=number, txsNum=count, hash=digest)
    else:
        text, per_tx_ms = "commitStableCheckPoint success", took_ms // max(1, count)
        node_log.info(f"{_PBFT}][STORAGE][METRIC", text, index=number, hash=digest, txs=count, timeCost=took_ms, commitPerTx=per_tx_ms)
    node_log.info("CONSENSUS][SEALER", "asyncNoteLatestBlockTimestamp", timestamp=block.header.timestamp_ms)


class Narrator:
    """The driver's witness (`driver.Witness`)."""

    def __init__(self, log: NodeLog, node_id: bytes, contents: ContentCache) -> None:
        self._log = log
        self._node_id = node_id.hex()
        self._contents = contents

    def _state(self, state: ReplicaState) -> dict[str, Any]:
        return state_fields(state, self._node_id)

    def started(self, state: ReplicaState) -> None:
        """The process has loaded its ledger."""
        self._log.info(_PBFT, "create PBFTCodec")
        self._log.info(_PBFT, "init PBFT success", **self._state(state))
        self._reset_config(state)
        self._log.info(f"{_PBFT}][METRIC", "^^^^^^^^Report", **self._state(state))
        persisted = sum(slot.pulling is not None for slot in state.slots)
        self._log.info(_PBFT, "recoverState", stateProposals=persisted, lowWaterMark=state.height + 1, highWaterMark=self._high(state))
        self._log.info(_PBFT, "Start the PBFT module.")

    def on_step(self, before: ReplicaState, event: Event, after: ReplicaState, effects: tuple[Effect, ...]) -> None:
        """The core has taken a step."""
        if not self._log.is_shown("info"):
            return
        match event:
            case LedgerAdvanced():
                self._on_advanced(before, event, after)
                self._on_other(before, event, after)
            case Proposed():
                self._on_proposed(event, after)
            case TimerFired(name=TimerName.VIEW) if after.to_view > before.to_view:
                self._log.warning(_PBFT, "After onTimeout", **self._state(after), lockT=0, timecost=0)
            case TimerFired(name=TimerName.VIEW) if after.timer_epoch > before.timer_epoch and after.me is not None:
                self._log.info(_PBFT, "onTimeout: Proposal is executing, restart the timer", **self._state(after))
            case Received(message=ViewChange() as message):
                self._on_received(before, message, after)
                self._on_other(before, event, after)
            case _:
                self._on_other(before, event, after)
        if isinstance(event, Received) and not isinstance(event.message, ViewChange):
            self._on_received(before, event.message, after)
        if after.view != before.view:
            self._on_view(event, after)
        if after.slots is not before.slots:
            self._on_slots(before, after)
        for effect in effects:
            if isinstance(effect, Reject) and self._log.is_shown("debug"):
                self._log.debug(
                    _PBFT, "message rejected", reason=effect.reason.value, **message_fields(effect.message), **self._state(after)
                )

    def _on_advanced(self, before: ReplicaState, event: LedgerAdvanced, after: ReplicaState) -> None:
        self._reset_config(after)
        slot = before.slots[0] if before.slots and before.slots[0].height == event.index else None
        more: dict[str, Any] = {}
        if slot is not None and slot.agreed is not None and not event.by_sync:
            more = {"sealer": slot.agreed.sealer, "txs": self._count(slot)}
        self._log.info(f"{_PBFT}][METRIC", "^^^^^^^^Report", **more, **self._state(after))

    def _reset_config(self, state: ReplicaState) -> None:
        self._log.info(
            f"{_PBFT}][METRIC",
            "resetConfig",
            committedIndex=state.height,
            propHash=short_hash(state.block_hash),
            leaderPeriod=state.rules.leader_period_blocks,
            consensusNodesSize=state.rules.node_count,
        )

    def _count(self, slot: Slot) -> int:
        try:
            return len(self._contents.of(slot.agreed).tx_hashes) if slot.agreed is not None else 0
        except LedgerFormatError:
            return 0

    def _on_proposed(self, event: Proposed, after: ReplicaState) -> None:
        proposal = event.proposal
        try:
            content = self._contents.of(proposal)
        except LedgerFormatError:
            return
        self._log.info(
            "CONSENSUS][SEALER",
            "++++++++++++++++ Generate proposal",
            index=proposal.index,
            curNum=after.height,
            hash=short_hash(proposal.digest),
            sysTxs=proposal.is_system,
            txsSize=len(content.tx_hashes),
            version=content.header.version,
        )

    def _on_other(self, before: ReplicaState, event: Event, after: ReplicaState) -> None:
        if after.to_view > max(before.to_view, after.view):
            if isinstance(event, Received) and isinstance(event.message, ViewChange):
                self._log.info(_PBFT, "tryToTriggerFastViewChange", viewToReach=after.to_view, **self._state(after))
            elif before.recovered:
                leader = leader_of(Height(before.height + 1), before.view, before.rules)
                self._log.info(_PBFT, "tryTriggerFastViewChange for the faulty leader", leaderIndex=leader, **self._state(before))
        if isinstance(event, Received) and self._log.is_shown("trace"):
            self._log.trace(_PBFT, f"onReceivePBFTMessage {type(event.message).__name__}", **message_fields(event.message))

    def _on_received(self, before: ReplicaState, message: Message, after: ReplicaState) -> None:
        """A message that was counted, with the weight it brings its kind to."""
        weights, has_moved = after.rules.weights, after.view != before.view
        match message:
            case Prepare() | Commit() | CheckPoint():
                self._on_vote(before, message, after)
            case ViewChange() if message not in before.view_changes and (message in after.view_changes or has_moved):
                senders = {message.sender, *(each.sender for each in before.view_changes if each.view == message.view)}
                shown = {"weight": weight_of(senders, weights), "maxCommittedIndex": message.index}
                self._log.info(_PBFT, "addViewChangeReq", **message_fields(message), **shown, **self._state(after))
            case RecoverResponse() if (message.sender, message.view) in after.recoveries or has_moved:
                senders = {message.sender, *(sender for sender, view in before.recoveries if view == message.view)}
                weight = weight_of(senders, weights)
                self._log.info(_PBFT, "addRecoverReqCache", weight=weight, **message_fields(message), **self._state(before))
            case NewView() if has_moved:
                self._log.info(_PBFT, "handleNewViewMsg success", **message_fields(message), **self._state(before))

    def _on_vote(self, before: ReplicaState, vote: Prepare | Commit | CheckPoint, after: ReplicaState) -> None:
        position, known = vote.index - after.height - 1, vote.index - before.height - 1
        if not 0 <= position < len(after.slots):
            return
        cast = _votes(after.slots[position], vote)
        if vote not in cast or (0 <= known < len(before.slots) and vote in _votes(before.slots[known], vote)):
            return
        weight = weight_of((each.sender for each in cast if each.digest == vote.digest), after.rules.weights)
        if isinstance(vote, CheckPoint):
            shown = {"Idx": after.me, "weight": weight, "minRequiredWeight": after.quorum_weight}
            self._log.info(_PBFT, "addCheckPointMsg", **message_fields(vote), **shown)
        else:
            text = "addPrepareCache" if isinstance(vote, Prepare) else "addCommitCache"
            self._log.info(_PBFT, text, **message_fields(vote), **self._state(after), weight=weight)

    def _high(self, state: ReplicaState) -> int:
        return state.height + 1 + state.rules.pipeline_blocks

    def _on_view(self, event: Event, after: ReplicaState) -> None:
        if isinstance(event, Received) and isinstance(event.message, RecoverResponse):
            self._log.info(_PBFT, "checkAndTryToRecoverView: reachNewView", recoveredView=after.view, **self._state(after))
            return
        self._log.info(_PBFT, "reachNewView", **self._state(after), lowWaterMark=after.height + 1, highWaterMark=self._high(after))

    def _on_slots(self, before: ReplicaState, after: ReplicaState) -> None:
        shift = after.height - before.height
        for position, slot in enumerate(after.slots):
            known = before.slots[position + shift] if position + shift < len(before.slots) else None
            if slot is known:
                continue
            self._on_slot(known or Slot(slot.height), slot, after)

    def _on_slot(self, before: Slot, slot: Slot, after: ReplicaState) -> None:
        info = self._log.info
        if slot.pre is not None and slot.pre is not before.pre:
            info(_PBFT, "addPrePrepareCache", **message_fields(slot.pre), sys=slot.pre.proposal.is_system, **self._state(after))
        if slot.cert is not None and slot.cert is not before.cert:
            proposal = slot.cert.proposal
            shown = {
                "reqHash": short_hash(proposal.digest),
                "reqIndex": slot.height,
                "reqV": slot.cert.view,
                "fromIdx": after.me,
                "wait(ms)": 0,
            }
            info(_PBFT, "intoPrecommit", **shown, **self._state(after))
        if slot.agreed is not None and slot.agreed is not before.agreed:
            shown = {"propHash": short_hash(slot.agreed.digest), "propIndex": slot.height, "sys": slot.agreed.is_system}
            info(_PBFT, "######## CommitProposal", **shown, **self._state(after))
        if slot.is_stable and not before.is_stable:
            info(_PBFT, "checkAndCommitStableCheckPoint", index=slot.height, hash=short_hash(slot.block_hash), **self._state(after))

    def on_applied(self, state: ReplicaState, effect: Effect) -> None:
        """An effect is being applied: what leaves is told when it leaves."""
        if not self._log.is_shown("info"):
            return
        match effect:
            case Broadcast(message=ViewChange() as change):
                self._log.info(_PBFT, "broadcastViewChangeReq", **message_fields(change), packetSize=0)
            case Broadcast(message=NewView() as new_view):
                for again in new_view.preprepares:
                    empty = again.proposal.is_filler
                    self._log.info(_PBFT, "generatePrePrepareMsg", **message_fields(again), dataSize=0, emptyProposal=empty)
                self._log.info(_PBFT, "The next leader broadcast NewView request", **message_fields(new_view), Idx=state.me)
            case Broadcast(message=PrePrepare() as proposed):
                shown = {
                    "index": proposed.index,
                    "Idx": state.me,
                    "hash": short_hash(proposed.digest),
                    "sysProposal": proposed.proposal.is_system,
                }
                self._log.info(_PBFT, "++++++++++++++++ Generating seal on", **shown)
                self._log.info(_PBFT, "broadcast pre-prepare packet", packetSize=len(proposed.proposal.data), index=proposed.index)
            case Broadcast(message=Prepare(index=index)):
                self._log.info(_PBFT, "broadcast prepare packet", packetSize=0, index=index)
            case Broadcast(message=Commit(index=index, digest=digest)):
                text = "checkAndPreCommit: broadcast commitMsg"
                self._log.info(_PBFT, text, Idx=state.me, hash=short_hash(digest), index=index)
            case Broadcast(message=CheckPoint(index=index, digest=digest)):
                self._log.info(_PBFT, "onProposalApplySuccess", index=index, hash=short_hash(digest))
            case Send(to=to, message=RecoverResponse() as response):
                text = "sendRecoverResponse to the node try to trigger viewchange"
                self._log.info(_PBFT, text, dst=NodeIndex(to), **message_fields(response), **self._state(state))
            case Send(to=to, message=ViewChange() as change):
                text = "send viewchange to the node whose view falling behind"
                self._log.info(_PBFT, text, dst=NodeIndex(to), **message_fields(change), **self._state(state))
            case SealRange(first=first, last=last) if first <= last:
                text = "notifySealer: notify the new leader to seal block"
                self._log.info(_PBFT, text, idx=state.me, startIndex=first, endIndex=last, **self._state(state))
            case _:
                pass


def _votes(slot: Slot, vote: Prepare | Commit | CheckPoint) -> tuple[Prepare | Commit | CheckPoint, ...]:
    """The votes of the kind of `vote` that `slot` has."""
    if isinstance(vote, Prepare):
        return slot.prepares
    return slot.commits if isinstance(vote, Commit) else slot.checkpoints
