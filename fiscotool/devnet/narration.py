"""Tells the log what the core does, in the real node's words, so that one parser reads the logs of both.

Rule. Everything is derived from events, effects and the difference of two states; the core itself knows nothing of logs.

Sources: spec 3.x 5.1, 5.2; bcos-pbft `PBFTConfig::printCurrentState`, `printPBFTMsgInfo`, `printPBFTProposal`.
"""

from __future__ import annotations

from typing import Any, Final

from fiscotool.devnet.log import NodeLog, short_hash
from fiscotool.devnet.proposals import ContentCache
from fiscotool.ledger.errors import LedgerFormatError
from fiscotool.pbft.effects import Broadcast, Effect, Reject, SealRange, Send
from fiscotool.pbft.events import Event, LedgerAdvanced, Proposed, Received, TimerFired, TimerName
from fiscotool.pbft.messages import CheckPoint, Message, NewView, PrePrepare, RecoverResponse, ViewChange
from fiscotool.pbft.state import ReplicaState, Slot
from fiscotool.pbft.timers import timeout_ticks
from fiscotool.pbft.types import NodeIndex

__all__ = ["Narrator", "message_fields", "state_fields"]

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
            case Proposed():
                self._on_proposed(event, after)
            case TimerFired(name=TimerName.VIEW) if after.to_view > before.to_view:
                self._log.warning(_PBFT, "After onTimeout", **self._state(after), lockT=0, timecost=0)
            case TimerFired(name=TimerName.VIEW) if after.timer_epoch > before.timer_epoch and after.me is not None:
                self._log.info(_PBFT, "onTimeout: Proposal is executing, restart the timer", **self._state(after))
            case _:
                self._on_other(before, event, after)
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
                self._log.info(_PBFT, "tryTriggerFastViewChange for the faulty leader", **self._state(after))
        if isinstance(event, Received) and self._log.is_shown("trace"):
            self._log.trace(_PBFT, f"onReceivePBFTMessage {type(event.message).__name__}", **message_fields(event.message))

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
                self._log.info(_PBFT, "The next leader broadcast NewView request", **message_fields(new_view), Idx=state.me)
            case Broadcast(message=PrePrepare() as proposed):
                self._log.info(_PBFT, "broadcast pre-prepare packet", packetSize=len(proposed.proposal.data), index=proposed.index)
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
