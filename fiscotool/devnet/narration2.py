"""Tells the log what a 2.x core does, in the words of a 2.x node: what its log parser, its scripts and its operators look for.

Rule 1. Everything is derived from events, effects and the difference of two states; the core itself knows nothing of logs.
Rule 2. Only lines that a node at level info writes, and at level debug those of view changes. Times it would have to measure inside are 0.
Rule 3. `views` is what getConsensusStatus tells of others: the view of the last proposal, Sign or Commit of each sealer that was taken.

Sources: spec 2.x 5.2; PBFTEngine.cpp, PBFTSealer.cpp, PBFTReqCache.h; recordings v2/logs.
"""

from __future__ import annotations

from typing import Any, Final

from fiscotool.devnet.log import NodeLog, short_hash
from fiscotool.devnet.proposals import ContentCache
from fiscotool.ledger.errors import LedgerFormatError
from fiscotool.pbft.effects import Broadcast, CommitBlock, Effect, Reject, RejectReason, Send
from fiscotool.pbft.events import Event, Executed, FillersBuilt, LedgerAdvanced, Proposed, Received, TimerFired, TimerName
from fiscotool.pbft.fisco2.state import Phase, ReplicaState
from fiscotool.pbft.messages import Commit, Message, Prepare, PrePrepare, Proposal, ViewChange

__all__ = ["Narrator2"]

_PBFT: Final = "CONSENSUS][PBFT"
_NOT_A_SEALER: Final = 65_535


class Narrator2:
    """The driver's witness for fisco2 (`driver.Witness`). `views`: index → view last heard (Rule 3)."""

    def __init__(self, log: NodeLog, node_id: bytes, contents: ContentCache) -> None:
        self.views: dict[int, int] = {}
        self._log = log
        self._node_id = short_hash(node_id)
        self._contents = contents

    def _me(self, state: ReplicaState) -> dict[str, Any]:
        return {"nodeIdx": _NOT_A_SEALER if state.me is None else state.me, "myNode": self._node_id}

    def _sender(self, state: ReplicaState, index: int) -> str:
        members = state.rules.members
        return short_hash(members[index]) if index < len(members) else "unknown"

    def started(self, state: ReplicaState) -> None:
        """The process has loaded its ledger."""
        info = self._log.info
        info(_PBFT, "Register handler for PBFTEngine")
        info("CONSENSUS][SEALER", "[Start sealer module]")
        info(_PBFT, "[PBFT init env successfully]")
        info(_PBFT, "[Start PBFTEngine...]")
        self._report(state, None)

    def _report(self, state: ReplicaState, before: ReplicaState | None) -> None:
        """`reportBlock`: the engine works on the next height."""
        raw = None if before is None else before.raw
        proposer, txs = (raw.proposal.sealer, self._count(raw.proposal)) if raw is not None else (0, 0)
        shown = {"num": state.height, "sealerIdx": proposer, "hash": short_hash(state.block_hash), "next": state.height + 1, "tx": txs}
        self._log.info(_PBFT, "^^^^^^^^Report", **shown, nodeIdx=self._me(state)["nodeIdx"])

    def _count(self, proposal: Proposal) -> int:
        try:
            return len(self._contents.of(proposal).tx_hashes)
        except LedgerFormatError:
            return 0

    def on_step(self, before: ReplicaState, event: Event, after: ReplicaState, effects: tuple[Effect, ...]) -> None:
        """The core has taken a step."""
        refused = {id(effect.message) for effect in effects if isinstance(effect, Reject)}
        if isinstance(event, Received) and id(event.message) not in refused:
            self._heard(before, event.message)
        if not self._log.is_shown("info"):
            return
        match event:
            case LedgerAdvanced() if after.height > before.height:
                if not event.by_sync and before.raw is not None:
                    shown = {"prepareHeight": event.index, "reqIdx": before.raw.sender, "hash": short_hash(event.block_hash)}
                    self._log.info(_PBFT, "CommitBlock Succ", **shown, **self._me(after), totalTimeCost=0)
                self._report(after, None if event.by_sync else before)
            case Proposed(proposal=proposal):
                self._sealed(after, proposal)
            case FillersBuilt(proposals=proposals) if proposals and after is not before:
                self._sealed(before, proposals[0])
            case Executed() if after.phase is not Phase.EXECUTING and after.raw is not None:
                self._executed(after, event)
            case TimerFired(name=TimerName.VIEW) if after.to_view > before.to_view:
                self._timed_out(before, after)
            case Received(message=message) if id(message) not in refused:
                self._received(before, message, after)
            case _:
                pass
        self._moved(before, after)
        for effect in effects:
            if isinstance(effect, Reject) and effect.reason is RejectReason.LOCKED and isinstance(effect.message, PrePrepare):
                message = effect.message
                shown = {"reqNum": message.index, "view": message.view, "hash": short_hash(message.digest)}
                self._log.info(_PBFT, "InvalidPrepare: not saved after commit", EINFO="isValidPrepare", **shown, **self._me(after))

    def _heard(self, before: ReplicaState, message: Message) -> None:
        if isinstance(message, PrePrepare | Prepare | Commit) and message.sender != before.me:
            self.views[int(message.sender)] = int(message.view)

    def _sealed(self, state: ReplicaState, proposal: Proposal) -> None:
        shown = {"blkNum": proposal.index, "tx": self._count(proposal), "nodeIdx": self._me(state)["nodeIdx"]}
        self._log.info("CONSENSUS][SEALER", "++++++++++++++++ Generating seal on", **shown, hash=short_hash(proposal.digest))

    def _executed(self, state: ReplicaState, event: Executed) -> None:
        raw = state.raw
        assert raw is not None
        if event.block_hash is None:
            self._log.warning(_PBFT, "Block execute failed", reqNum=raw.index, hash=short_hash(raw.digest), **self._me(state))
            return
        shown = {"blkNum": raw.index, "reqIdx": raw.sender, "hash": short_hash(event.block_hash)}
        self._log.info(_PBFT, "execBlock", **shown, **self._me(state), currentCycle=state.change_cycle, totalCost=0)

    def _timed_out(self, before: ReplicaState, after: ReplicaState) -> None:
        """Not called for empty blocks: those end a view without its timer."""
        shown = {"v": before.view, "toV": after.to_view, "curNum": before.height, "hash": short_hash(before.block_hash)}
        self._log.warning(_PBFT, "ViewChangeWarning: not caused by omit empty block ", **shown, **self._me(before))
        count = before.rules.node_count
        away = [self._sender(before, index) for index in range(count) if index != before.me and index not in before.connected]
        if away:
            self._log.warning(
                _PBFT,
                "Find disconnectedNode",
                disconnectedNodeSize=len(away),
                sessionSize=len(before.connected),
                minValidNodes=before.quorum_weight,
                disconnectedNode=";".join(away),
                idx=self._me(before)["nodeIdx"],
            )

    def _received(self, before: ReplicaState, message: Message, after: ReplicaState) -> None:
        if isinstance(message, ViewChange) and message.sender != before.me:
            self._view_change(before, message, after)
        elif isinstance(message, PrePrepare) and any(message is kept for kept in after.future) and after.future is not before.future:
            shown = {"height": message.index, "reqView": message.view, "reqIdx": message.sender, "hash": short_hash(message.digest)}
            self._log.info("CONSENSUS", "addFuturePrepareCache", **shown)

    def _view_change(self, before: ReplicaState, message: ViewChange, after: ReplicaState) -> None:
        told = f"reqNum={message.index},curNum={before.height},GenIdx={message.sender},Cview={message.view},view={before.view}"
        info = f"handleViewChangeMsg,{told},fromIdx={message.sender},hash={short_hash(message.digest)}"
        if self._log.is_shown("debug"):
            self._log.debug(_PBFT, "handleViewChangeMsg Succ ", INFO=info, **self._me(before))
        if after.to_view > before.to_view and after.leader_failed and after.view == before.view:
            shown = {"view": before.view, "toView": after.to_view - 1, "minView": after.to_view}
            self._log.info(_PBFT, "Trigger fast-viewchange", **shown, INFO=info, **self._me(before))

    def _moved(self, before: ReplicaState, after: ReplicaState) -> None:
        """What the difference of the two states says."""
        info = self._log.info
        raw = after.raw
        if raw is not None and raw is not before.raw:
            info("CONSENSUS", "addRawPrepare", height=raw.index, reqIdx=raw.sender, hash=short_hash(raw.digest), time=0)
        if raw is not None and after.me is not None and after.phase is Phase.EXECUTED and before.executed_hash != after.executed_hash:
            self._signed(after, raw)
        # At one and the same height: a block takes the votes for it away.
        if after.height == before.height:
            for sign in after.signs:
                if sign.sender != after.me and sign not in before.signs:
                    self._vote("handleSignMsg", "num", "Sview", sign, after)
            if after.lock is not None and after.lock is not before.lock:
                self._locked(after)
            for commit in after.commits:
                if commit.sender != after.me and commit not in before.commits:
                    self._vote("handleCommitMsg", "reqNum", "Cview", commit, after)
            if after.to_view > before.to_view:
                shown = {"view": after.view, "toView": after.to_view, "nodeIdx": self._me(after)["nodeIdx"]}
                info(_PBFT, "checkTimeout Succ", **shown, changeCycle=after.change_cycle, myNode=self._node_id, timecost=0)
        if after.view != before.view and after.height == before.height:
            shown = {"org_view": before.view, "cur_changeCycle": after.change_cycle, "curView": before.view, "view": after.view}
            info(_PBFT, "checkAndChangeView: Reach consensus", **shown, **self._me(after))

    def _signed(self, state: ReplicaState, raw: PrePrepare) -> None:
        info = {
            "reqIdx": raw.sender,
            "view": raw.view,
            "reqNum": raw.index,
            "curNum": state.height,
            "consNum": state.height + 1,
            "curView": state.view,
            "hash": short_hash(raw.digest),
        }
        own = raw.sender == state.me
        if own:
            shown = {"hash": short_hash(raw.digest), "H": raw.index}
            self._log.info(_PBFT, "generateLocalPrepare", **shown, **self._me(state))
        more = {**self._me(state), "curChangeCycle": state.change_cycle}
        self._log.info(_PBFT, "handlePrepareMsg Succ", timecost=0, INFO="handlePrepareMsg", **info, **more)

    def _vote(self, name: str, number: str, view: str, vote: Prepare | Commit, state: ReplicaState) -> None:
        info = {
            number: vote.index,
            "curNum": state.height,
            "GenIdx": vote.sender,
            view: vote.view,
            "view": state.view,
            "fromIdx": vote.sender,
            "fromNode": self._sender(state, vote.sender),
            "hash": short_hash(vote.digest),
        }
        self._log.info(_PBFT, f"{name} Succ", INFO=name, **info, **self._me(state))

    def _locked(self, state: ReplicaState) -> None:
        lock = state.lock
        assert lock is not None
        shown = {"reqNum": lock.proposal.index, "hash": short_hash(lock.proposal.digest)}
        self._log.info(_PBFT, "checkAndCommit: backup/updateCommittedPrepare", **shown, **self._me(state))

    def on_applied(self, state: ReplicaState, effect: Effect) -> None:
        """An effect is being applied: what leaves is told when it leaves."""
        if not self._log.is_shown("info"):
            return
        match effect:
            case CommitBlock(index=index, block_hash=block_hash, signatures=signatures):
                shown = {"prepareHeight": index, "commitSize": len(signatures), "hash": short_hash(block_hash)}
                self._log.info(_PBFT, "checkAndSave: CommitReq enough", **shown, **self._me(state))
            case Broadcast(message=PrePrepare() as again) if state.lock is not None and again.digest == state.lock.proposal.digest:
                shown = {"nodeIdx": state.me, "nodeId": self._node_id, "view": again.view}
                self._log.info(_PBFT, "rehandleCommittedPrepare", **shown, hash=short_hash(again.digest), H=again.index)
            case Broadcast(message=ViewChange() as change) if self._log.is_shown("debug"):
                self._log.debug(_PBFT, "broadcastViewChangeReq ", **self._change(state, change), **self._me(state))
            case Send(to=to, message=ViewChange() as change):
                shown = self._change(state, change)
                self._log.info(_PBFT, "catchupView", toView=state.to_view, curNum=state.height, GenIdx=to, **self._me(state))
                text = "sendViewChangeMsg: send viewchange to started node"
                self._log.info(_PBFT, text, **shown, peerNode=self._sender(state, to), **self._me(state))
            case _:
                pass

    def _change(self, state: ReplicaState, change: ViewChange) -> dict[str, Any]:
        return {"v": state.view, "toV": change.view, "curNum": change.index, "hash": short_hash(change.digest)}
