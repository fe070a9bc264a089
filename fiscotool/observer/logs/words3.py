"""What FISCO BCOS 3.x logs: the text of every consensus line, and of the few others that matter, with its meaning.

Rule. A text that is not here is unknown and shown as such: there is no entry for "anything else".

Sources: spec 3.x 5.2, 5.3; bcos-pbft `PBFTEngine.cpp`, `PBFTCacheProcessor.cpp`, `PBFTCache.cpp`, `PBFTConfig.cpp`, `LedgerStorage.cpp`,
`StateMachine.cpp`, `ConsensusConfig.cpp`; bcos-sealer `Sealer.cpp`, `SealingManager.cpp`; the recorded logs (v3/logs, v3/logs_trace).
"""

from __future__ import annotations

from typing import Final

from fiscotool.observer.logs.events import Kind
from fiscotool.observer.logs.rule import Rule, Shape

__all__ = ["OTHER_RULES", "PREFIXES", "RULES"]


def _message(kind: Kind, weight: str = "") -> Rule:
    return Rule(kind, Shape.MESSAGE, "reqIndex", "reqV", "reqHash", "fromIdx", weight)


def _proposal(kind: Kind) -> Rule:
    return Rule(kind, Shape.PROPOSAL, "propIndex", "view", "propHash")


def _index_hash(kind: Kind) -> Rule:
    return Rule(kind, Shape.INDEX_HASH, "index", "view", "hash")


def _state(kind: Kind) -> Rule:
    return Rule(kind, Shape.STATE, "committedIndex", "view", "committedHash")


def _keys(kind: Kind, height: str = "", digest: str = "", *, view: str = "view", weight: str = "") -> Rule:
    return Rule(kind, Shape.KEYS, height, view, digest, "", weight)


_DULL: Final = Rule(Kind.BOOKKEEPING)

_PBFT: Final[dict[str, Rule]] = {
    "create PBFTCodec": Rule(Kind.STARTED),
    "stop the PBFTEngine": Rule(Kind.STOPPED),
    # Normal case: proposal, votes, execution, checkpoint, commit.
    "++++++++++++++++ Generating seal on": Rule(Kind.PROPOSED, Shape.KEYS, "index", "", "hash", "Idx", "", "Idx"),
    "addPrePrepareCache": _message(Kind.ACCEPTED),
    "handlePrePrepareMsg checkPrePrepareMsg failed": _message(Kind.PROPOSAL_REFUSED),
    "handlePrePrepareMsg failed": _proposal(Kind.PROPOSAL_REFUSED),
    "handlePrePrepareMsg: refuse pre-prepare massage from too large view": _keys(
        Kind.PROPOSAL_REFUSED, "recvIndex", "hash", view="recvView"
    ),
    "verify proposal exceptioned": _message(Kind.PROPOSAL_REFUSED),
    "verify proposal failed": _message(Kind.PROPOSAL_REFUSED),
    "broadcast prepare packet": _keys(Kind.PREPARE_SENT, "index"),
    "addPrepareCache": _message(Kind.PREPARE_COUNTED, "weight"),
    "intoPrecommit": _message(Kind.PREPARED),
    "checkAndPreCommit: broadcast commitMsg": _keys(Kind.COMMIT_SENT, "index", "hash"),
    "addCommitCache": _message(Kind.COMMIT_COUNTED, "weight"),
    "######## CommitProposal": _proposal(Kind.COMMITTED),
    "proposal execute failed": _proposal(Kind.EXECUTION_FAILED),
    "applyStateMachine: give up the proposal for expired": _state(Kind.EXECUTION_FAILED),
    "onProposalApplySuccess": _index_hash(Kind.CHECKPOINT_SENT),
    "addCheckPointMsg": _message(Kind.CHECKPOINT_COUNTED, "weight"),
    "onCheckPointTimeout: resend the checkpoint message package": _index_hash(Kind.CHECKPOINT_RESENT),
    "checkAndCommitStableCheckPoint": _index_hash(Kind.STABLE),
    "[METRIC]^^^^^^^^Report": _state(Kind.REPORT),
    "[METRIC]resetConfig": Rule(Kind.CONFIG, Shape.KEYS, "committedIndex", weight="consensusNodesSize"),
    "[STORAGE][METRIC]commitStableCheckPoint success": _index_hash(Kind.WRITTEN),
    "[STORAGE]commitStableCheckPoint failed": _keys(Kind.WRITE_FAILED, "proposalIndex"),
    # Timers and view change.
    "After onTimeout": _state(Kind.TIMEOUT),
    "onTimeout: Proposal is executing, restart the timer": _state(Kind.TIMER_RESTARTED),
    "onTimeout: apply proposal to state-machine, restart the timer": _state(Kind.TIMER_RESTARTED),
    "tryToTriggerFastViewChange": _keys(Kind.FAST_VIEW_CHANGE, "committedIndex", view="viewToReach"),
    "tryTriggerFastViewChange for the faulty leader": _state(Kind.FAULTY_LEADER),
    "broadcastViewChangeReq": _message(Kind.VIEW_CHANGE_SENT),
    "addViewChangeReq": _message(Kind.VIEW_CHANGE_COUNTED, "weight"),
    "InvalidViewChangeReq: invalid index": _message(Kind.VIEW_CHANGE_REFUSED),
    "InvalidViewChangeReq for invalid view": _message(Kind.VIEW_CHANGE_REFUSED),
    "InvalidViewChangeReq: invalid view": _message(Kind.VIEW_CHANGE_REFUSED),
    "InvalidViewChangeReq for invalid proposal": _message(Kind.VIEW_CHANGE_REFUSED),
    "InvalidViewChangeReq: invalid proposal": _message(Kind.VIEW_CHANGE_REFUSED),
    "InvalidViewChangeReq: invalid signature": _message(Kind.VIEW_CHANGE_REFUSED),
    "InvalidViewChangeReq: conflict with local committedProposal": _message(Kind.VIEW_CHANGE_REFUSED),
    "send viewchange to the node whose view falling behind": _keys(Kind.CATCH_UP, "reqIndex", "reqHash", view="reqV"),
    "The next leader broadcast NewView request": _message(Kind.NEW_VIEW_SENT),
    "handleNewViewMsg success": _message(Kind.NEW_VIEW_ACCEPTED),
    "InvalidNewViewMsg for invalid view": _message(Kind.NEW_VIEW_REFUSED),
    "InvalidNewViewMsg for viewChange check failed": _message(Kind.NEW_VIEW_REFUSED),
    "InvalidNewViewMsg for unenough weight": _message(Kind.NEW_VIEW_REFUSED),
    "generatePrePrepareMsg": _message(Kind.REPROPOSED),
    "generatePrePrepareMsg error: found conflict precommit proposals": _message(Kind.CONFLICT),
    "reachNewView": _state(Kind.VIEW_ENTERED),
    "sendRecoverResponse to the node try to trigger viewchange": _keys(Kind.RECOVER_SENT, "reqIndex", "reqHash", view="reqV"),
    "addRecoverReqCache": Rule(Kind.RECOVER_COUNTED, Shape.KEYS, "reqIndex", "reqV", "reqHash", "fromIdx", "weight"),
    "checkAndTryToRecoverView: reachNewView": _keys(Kind.RECOVERED, "committedIndex", "committedHash", view="recoveredView"),
    "loadAndVerifyProposal success": _keys(Kind.PROPOSAL_PULLED, "propIndex", "propHash"),
    "request checkPoint proposal": _keys(Kind.CATCH_UP, "checkPointIndex", "checkPointHash"),
}

_PBFT_DULL: Final = (
    "Not notify the sealer to sealing for txs of some proposals have not been reset success",
    "PBFTConfig: resetExpectedCheckPoint",
    "PBFTConfig: setExpectedCheckPoint",
    "Reach reseal index",
    "Receive CommittedProposalRequest",
    "Receive valid system prePrepare proposal, stop to notify sealing",
    "Start the PBFT module.",
    "Stop the PBFT module.",
    "The PBFT module has already been stopped!",
    "The sync module notify the latestBlock",
    "[STORAGE]Use executor version: 1",
    "[STORAGE]asyncCommitProposal: write the committed proposal into db",
    "[STORAGE]asyncGetCommittedProposals success",
    "[STORAGE]asyncGetCommittedProposals: empty committed proposal",
    "[STORAGE]asyncGetLatestCommittedProposalIndex",
    "[STORAGE]asyncPutProposal: commit success",
    "[STORAGE]asyncRemove success",
    "[STORAGE]asyncRemoveStabledCheckPoint",
    "[STORAGE]createKVTable success",
    "[STORAGE]loadState",
    "[STORAGE]no need to fetch committed proposal",
    "[STORAGE]recover committed proposal from the storage",
    "applyStateMachine",
    "applyStateMachine finished",
    "asyncCommitStableCheckPoint: set signatureList",
    "asyncMarkTxs failed",
    "asyncMarkTxs success",
    "asyncNotifySealProposal success",
    "asyncResetTxPool when startup",
    "asyncResetTxsFlag",
    "asyncSubmitProposal",
    "asyncSubmitProposal failed for expired index",
    "asyncSubmitProposal failed for invalid index",
    "asyncSubmitProposal failed for invalid leader",
    "broadcast pre-prepare packet",
    "checkAndCommit",
    "checkPBFTMsgState: invalid pbftMsg for invalid index",
    "checkPBFTMsgState: invalid pbftMsg for invalid view",
    "compatibilityVersion updated",
    "create PBFT",
    "create PBFT validator",
    "create PBFTEngine",
    "create StateMachine",
    "create pbftConfig",
    "create pbftStorage",
    "enableAsMasterNode: clearAllCache for the node switch into backup node",
    "enableAsMasterNode: init and start the consensus module",
    "enableAsMasterNode: true",
    "fetch PBFT state",
    "fetchAndUpdateLedgerConfig",
    "fetchAndUpdateLedgerConfig success",
    "handleCheckPointMsg: Invalid expired checkpoint msg",
    "handleCheckPointMsg: try to add the checkpoint message into the cache",
    "handleCommitMsg",
    "handleNewViewMsg: receive newViewChangeMsg",
    "handlePrePrepareMsg",
    "handlePrePrepareMsg and broadcast prepare packet",
    "handlePrePrepareMsg success",
    "handlePrepareMsg",
    "init PBFT success",
    "initState: apply committedProposal",
    "loadAndVerifyProposal failed",
    "message rejected",
    "notify the committed proposal index to the sync module success",
    "notify to seal next proposal",
    "notify to update consensusNodeList config success",
    "notify to update observerNodeList config success",
    "notifyResetSealing",
    "notifyResetSealing success",
    "notifySealer return for invalid seal range",
    "notifySealer: enforce notify the leader to seal block",
    "notifySealer: notify the new leader to seal block",
    "onRecvCommittedProposalsResponse",
    "onStableCheckPointCommitFailed: drop the expired stable proposal",
    "proposal execute failed and re-push the proposal into the cache",
    "reHandlePrePrepareProposals and wait to reseal new proposal",
    "reHandlePrePrepareProposals: hit the proposal",
    "reNotifySealer",
    "recoverState",
    "removeConsensusedCache finalizeConsensus",
    "request the missed precommit proposal",
    "resetCache",
    "resetCache : asyncResetTxsFlag",
    "resetCache: asyncResetTxsFlag exceptionPrePrepare",
    "resetCacheAfterViewChange",
    "resetNewViewState",
    "resetUnCommittedCacheState",
    "restart the consensus module",
    "sendRecoverResponse",
    "setCheckPointProposal",
    "setConnectedNodeList",
    "setPrecommitCache",
    "setSignatureList",
    "updateCommitQueue: remove invalid proposal",
    "updateStableCheckPointQueue: commit stable checkpoint",
    "updateStableCheckPointQueue: insert new checkpoint proposal",
    "updateValidatorConfig",
)

_REST: Final[dict[str, Rule]] = {
    "[Core][METRIC]asyncExecuteBlock success": _keys(Kind.EXECUTED, "number", "result"),
    "[Core]asyncExecuteBlock failed": _keys(Kind.EXECUTION_FAILED, "number"),
    "[Core][METRIC]updateConsensusNodeList": Rule(Kind.MEMBERS, Shape.KEYS, "committedIndex", weight="nodeNum", own="nodeIndex"),
    "[SEALER]++++++++++++++++ Generate proposal": _keys(Kind.SEALED, "index", "hash"),
    "[SEALER]asyncNoteLatestBlockTimestamp": _DULL,
}

_REST_DULL: Final = (
    "[Core]ConsensusEngine stopped",
    "[Core]Start the consensusEngine",
    "[Core]Stop consensusEngine",
    "[Core][prepareBlockExecutive]preApply",
    "[Core]setParentInfo for the proposal",
    "[SEALER]asyncNoteLatestBlockHash",
    "[SEALER]asyncNoteLatestBlockNumber",
    "[SEALER]asyncNotifySealProposal",
    "[SEALER]clearPendingTxs: return back the unhandled transactions",
    "[SEALER]fetchTransactions finish",
    "[SEALER]generateProposal",
    "[SEALER]resetSealing",
    "[SEALER]resetSealingInfo",
    "[SEALER]start the sealer",
    "[SEALER]stop the sealer",
    "[SEALER]the sealer has already been stopped",
)

RULES: Final[dict[str, Rule]] = (
    {f"[CONSENSUS][PBFT]{text}": rule for text, rule in _PBFT.items()}
    | {f"[CONSENSUS][PBFT]{text}": _DULL for text in _PBFT_DULL}
    | {f"[CONSENSUS]{text}": rule for text, rule in _REST.items()}
    | {f"[CONSENSUS]{text}": _DULL for text in _REST_DULL}
)
"""By badges and text, up to the first comma."""

PREFIXES: Final[tuple[tuple[str, Rule], ...]] = (
    ("[CONSENSUS][PBFT]checkSignature failed", _message(Kind.BAD_SIGNATURE)),
    ("[CONSENSUS][PBFT]onReceivePBFTMessage ", _DULL),
    ("[CONSENSUS][PBFT]reHandlePrePrepareProposals: ", _DULL),
    ("[CONSENSUS][PBFT]asyncSubmitProposal failed for ", _DULL),
    ("[CONSENSUS][PBFT][STORAGE]Use executor version: ", _DULL),
    ("[CONSENSUS][PBFT]enableAsMasterNode: ", _DULL),
    ("[CONSENSUS][PBFT]Receive valid system prePrepare proposal", _DULL),
)
"""Texts with something variable before the first comma."""

OTHER_RULES: Final[dict[str, Rule]] = {
    "[BLOCK SYNC]commitBlock": _keys(Kind.SYNCED, "number", "hash"),
    "[BLOCK SYNC][Download][requestBlocks]": _keys(Kind.SYNC_REQUESTED, "to"),
    "[BLOCK SYNC]requestBlocks": _keys(Kind.SYNC_REQUESTED, "to"),
    "[BLOCK SYNC]asyncCheckBlock failed": _keys(Kind.SYNC_REFUSED, "blockNumber", "hash"),
    "[BLOCK SYNC]BlockSync: checkBlock failed": _keys(Kind.SYNC_REFUSED, "number"),
    "[P2PService][Service][METRIC]heartBeat": _keys(Kind.PEERS, weight="connected count"),
    "[P2PService][Service]Connection established": Rule(Kind.PEER_CONNECTED),
    "[P2PService]onConnect": Rule(Kind.PEER_CONNECTED),
    "[P2PService][Service]onDisconnect": Rule(Kind.PEER_LOST),
    "[P2PService]onDisconnect": Rule(Kind.PEER_LOST),
}
"""Lines without a consensus badge that say something about agreement or what it needs; all others are counted as other modules'.

A synced block is told before the node reports it as its head. The `[blk-N]` badge of the sync module is left out.
"""
