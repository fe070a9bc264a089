"""What FISCO BCOS 2.x logs: the text of every consensus line, and of the few others that matter, with its meaning.

Rule. A text that is not here is unknown and shown as such: there is no entry for "anything else".

In 2.x votes are about the executed block: Sign is what 3.x calls Prepare, and there is no checkpoint. An idle chain goes from leader to
leader once a second; only the warning "not caused by omit empty block" tells of a timer that expired because something was wrong.

Sources: spec 2.x 5.2, 5.3; `PBFTEngine.cpp`, `PBFTSealer.cpp`, `PBFTReqCache.h`, `SyncMaster.cpp`; the recorded logs (v2/logs).
"""

from __future__ import annotations

from typing import Final

from fiscotool.observer.logs.events import Kind
from fiscotool.observer.logs.rule import Rule, Shape

__all__ = ["ENTERED", "JOINED", "OTHER_RULES", "PREFIXES", "RULES"]


def _keys(kind: Kind, height: str = "", digest: str = "hash", *, view: str = "", sender: str = "", weight: str = "") -> Rule:
    return Rule(kind, Shape.KEYS, height, view, digest, sender, weight, "nodeIdx")


_DULL: Final = Rule(Kind.BOOKKEEPING)

ENTERED: Final = _keys(Kind.VIEW_ENTERED, view="view")
"""A view was entered; whether something was wrong or the idle chain moved on is told by the lines before it."""

JOINED: Final = _keys(Kind.FAST_VIEW_CHANGE, "curNum", view="minView", sender="GenIdx")
"""f+1 others are ahead; by one view only, and without a time-out here, that is the idle chain's rotation."""

_PBFT: Final[dict[str, Rule]] = {
    "Register handler for PBFTEngine": Rule(Kind.STARTED),
    "generateLocalPrepare": _keys(Kind.PROPOSED, "H"),
    "rehandleCommittedPrepare": _keys(Kind.REPROPOSED, "H", view="view"),
    "execBlock": _keys(Kind.EXECUTED, "blkNum", sender="reqIdx"),
    "Block execute failed": _keys(Kind.EXECUTION_FAILED, "reqNum"),
    "InvalidPrepare: not saved after commit": _keys(Kind.PROPOSAL_REFUSED, "reqNum", view="view"),
    "handlePrepareMsg Succ": _keys(Kind.PREPARE_SENT, "reqNum", view="view", sender="reqIdx"),
    "handleSignMsg Succ": _keys(Kind.PREPARE_COUNTED, "num", view="Sview", sender="GenIdx"),
    "checkAndCommit: backup/updateCommittedPrepare": _keys(Kind.PREPARED, "reqNum"),
    "handleCommitMsg Succ": _keys(Kind.COMMIT_COUNTED, "reqNum", view="Cview", sender="GenIdx"),
    "checkAndSave: CommitReq enough": _keys(Kind.COMMITTED, "prepareHeight", weight="commitSize"),
    "CommitBlock Succ": _keys(Kind.WRITTEN, "prepareHeight", sender="reqIdx"),
    "CommitBlock Failed": _keys(Kind.WRITE_FAILED, "reqNum", sender="reqIdx"),
    "checkAndSave: Consensus Failed, Block already exists": _keys(Kind.WRITE_FAILED, "reqNum", "blkHash"),
    "^^^^^^^^Report": _keys(Kind.REPORT, "num", sender="sealerIdx"),
    "FutureBlock": _keys(Kind.FUTURE, "reqNum", view="view", sender="GenIdx"),
    "ViewChangeWarning: not caused by omit empty block ": _keys(Kind.TIMEOUT, "curNum", view="v"),
    "checkTimeout Succ": _keys(Kind.VIEW_RAISED, view="toView"),
    "broadcastViewChangeReq ": _keys(Kind.VIEW_CHANGE_SENT, "curNum", view="toV"),
    "handleViewChangeMsg Succ ": _keys(Kind.VIEW_CHANGE_COUNTED, "reqNum", view="Cview", sender="GenIdx"),
    "checkAndChangeView: Reach consensus": ENTERED,
    "Trigger fast-viewchange": JOINED,
    "catchupView": _keys(Kind.CATCH_UP, "curNum", view="toView", sender="GenIdx"),
    "sendViewChangeMsg: send viewchange to started node": _keys(Kind.CATCH_UP, "curNum", view="toV"),
    "checkSealerList: wrong sealers": _keys(Kind.PROPOSAL_REFUSED, "blkNum"),
    "checkBlock: wrong sealers": _keys(Kind.SYNC_REFUSED, "blkNum"),
    "checkBlock: invalid sealer": _keys(Kind.SYNC_REFUSED, "blkNum"),
    "checkBlock: insufficient signatures": _keys(Kind.SYNC_REFUSED, "blkNum"),
    "checkBlock: checkSign failed": _keys(Kind.BAD_SIGNATURE, "blkNum"),
    "checkBlock: check maxBlockTransactions failed": _keys(Kind.SYNC_REFUSED, "blkNum"),
}

_PBFT_DULL: Final = (
    "Find disconnectedNode",
    "[PBFT init env successfully]",
    "[Start PBFTEngine...]",
    "[Stop PBFTEngine...]",
    "checkReq: Recv future request",
    "handleFutureBlock",
    "initBackupDB",
    "onReceiveGetMissedTxsRequest exceptioned",
    "reloadMsg",
    "resetConsensusTimeout",
    "setMinBlockGenerationTime",
    "store backupMsg to db failed",
)

_REST: Final[dict[str, Rule]] = {
    "[SEALER]++++++++++++++++ Generating seal on": _keys(Kind.SEALED, "blkNum"),
    "addRawPrepare": _keys(Kind.ACCEPTED, "height", sender="reqIdx"),
    "[PartiallyPBFTReqCache]addPartiallyRawPrepare": _keys(Kind.ACCEPTED, "height", sender="reqIdx"),
    "addFuturePrepareCache": _keys(Kind.FUTURE, "height", view="reqView", sender="reqIdx"),
    "[ConsensusEngine][Stop ConsensusEngineBase]": Rule(Kind.STOPPED),
}

_REST_DULL: Final = (
    "[ConsensusEngine]ConsensusEngineBase stopped",
    "[ConsensusEngine][Start ConsensusEngineBase]",
    "[SEALER]Stop sealer module...",
    "[SEALER][Start sealer module]",
    "[SEALER]attempIncreaseTimeoutTx",
    "[SEALER]decrease maxBlockCanSeal to half for PBFT timeout",
    "[SEALER]increase m_maxBlockCanSeal",
    "[SEALER]increase maxNoTimeoutTx",
)

RULES: Final[dict[str, Rule]] = (
    {f"[CONSENSUS][PBFT]{text}": rule for text, rule in _PBFT.items()}
    | {f"[CONSENSUS][PBFT]{text}": _DULL for text in _PBFT_DULL}
    | {f"[CONSENSUS]{text}": rule for text, rule in _REST.items()}
    | {f"[CONSENSUS]{text}": _DULL for text in _REST_DULL}
)
"""By badges and text, up to the first comma."""

PREFIXES: Final[tuple[tuple[str, Rule], ...]] = (
    ("[CONSENSUS][PBFT]I am the next leader = ", _DULL),
    ("[CONSENSUS][PBFT]initBackupDB: ", _DULL),
)
"""Texts with something variable before the first comma."""

OTHER_RULES: Final[dict[str, Rule]] = {
    "[SYNC][Download][BlockSync]Download block commit succ": _keys(Kind.SYNCED, "number"),
    "[SYNC][Download][BlockSync]Download finish": _keys(Kind.SYNC_DONE, digest="latestHash"),
    "[SYNC][Download][Request]Request blocks": _keys(Kind.SYNC_REQUESTED, "to"),
    "[SYNC][Download][BlockSync]Ignore illegal block": _keys(Kind.SYNC_REFUSED, "thisNumber"),
    "[P2P][Service] heartBeat": _keys(Kind.PEERS, weight="connected count"),
    "[P2P][Service] Connection established": Rule(Kind.PEER_CONNECTED),
    "[P2P][Service] onDisconnect": Rule(Kind.PEER_LOST),
}
"""Lines without a consensus badge; the `[id:…]` badge of the sync module is left out."""
