"""The log of a 2.x node: its line format, and its words for what parts shared with 3.x tell in theirs.

    level|YYYY-mm-dd HH:MM:SS.ffffff|[g:1][MODULE][SUB]text,key=value,…      as releases up to 2.10 write it

What the core does is told by narration2; here is what blocks, synchronisation and links tell. A line of theirs that is not in the table
is written as it is, so nothing is lost; those that 2.x has no line for are left out.

Sources: spec 2.x 5.1, 5.3; recordings v2/logs; SyncMaster.cpp, Service.cpp.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from fiscotool.devnet.log import NodeLog

__all__ = ["NodeLog2"]

_PBFT: Final = "CONSENSUS][PBFT"
_SYNC: Final = "SYNC][Download][BlockSync"
_Words = tuple[str, str, Mapping[str, str]]
"""Badges, text, and new names of values."""

_TABLE: Final[dict[tuple[str, str], _Words | None]] = {
    ("BLOCK SYNC", "commitBlock"): (_SYNC, "Download block commit succ", {"txsNum": "txs"}),
    ("BLOCK SYNC", "requestBlocks"): ("SYNC][Download][Request", "Request blocks", {}),
    ("BLOCK SYNC", "BlockSync: applyBlock"): (_SYNC, "Download finish", {"hash": "latestHash"}),
    ("BLOCK SYNC", "BlockSync: checkBlock failed"): (_SYNC, "Ignore illegal block", {"number": "thisNumber"}),
    ("P2PService", "onConnect"): ("P2P][Service", " Connection established", {"nodeId": "nodeID"}),
    ("P2PService", "onDisconnect"): ("P2P][Service", " onDisconnect", {"nodeId": "nodeID", "reason": "what"}),
    ("P2PService][Service][METRIC", "heartBeat"): ("P2P][Service", " heartBeat", {}),
    (_PBFT, "verify proposal failed"): (_PBFT, "Block execute failed", {"reqHash": "hash", "reqIndex": "reqNum", "msg": "EINFO"}),
    (_PBFT, "stop the PBFTEngine"): ("CONSENSUS][ConsensusEngine", "[Stop ConsensusEngineBase]", {}),
    ("CONSENSUS][PBFT][STORAGE", "loadState"): (_PBFT, "reloadMsg", {"height": "H"}),
    # Told by the core's narration, or not at all.
    (_PBFT, "proposal execute failed"): None,
    ("CONSENSUS][Core][METRIC", "asyncExecuteBlock success"): None,
    ("CONSENSUS][PBFT][STORAGE][METRIC", "commitStableCheckPoint success"): None,
    ("CONSENSUS][SEALER", "asyncNoteLatestBlockTimestamp"): None,
}


class NodeLog2(NodeLog):
    """A NodeLog in the words of 2.x. `group` is the number lines of the group carry."""

    def __init__(self, directory: Path, *, group: str, **options: Any) -> None:
        super().__init__(directory, **options)
        self._group = f"[g:{group}]"

    def _write(self, level: str, badges: str, text: str, fields: dict[str, Any]) -> None:
        words = _TABLE.get((badges, text), (badges, text, {}))
        if words is not None:
            names = words[2]
            super()._write(level, words[0], words[1], {names.get(key, key): value for key, value in fields.items()})

    def _origin(self, badges: str) -> str:
        return self._group if badges.startswith(("CONSENSUS", "SYNC")) else ""
