"""What is refused before any handler looks at it: the questions every message must pass.

Rule 1. A replica that is no sealer uses nothing; a sender outside the current list is nobody.
Rule 2. Phase messages must be above the ledger, above what block synchronisation fetches, and within the window.
Rule 3. While block synchronisation is a whole pipeline ahead, nothing of the phases is used (spec 1.8, step 4; 1.16).
Rule 4. A view of the past is refused; a view far ahead too (FISCO PR #4308: such a pre-prepare kept its transactions for ever).

Sources: bcos-pbft `PBFTEngine.cpp` `checkPBFTMsgState`, `checkPrePrepareMsg`, `isSyncingHigher`, `PBFTEngine.h` `MaxView`;
spec 3.x 1.1, 1.8. D8 of docs/pbft.md: upstream bounds neither the height nor (below 2**63) the view of votes.
"""

from __future__ import annotations

from typing import Final

from fiscotool.pbft.effects import RejectReason
from fiscotool.pbft.messages import (
    CheckPoint,
    Commit,
    CommittedProposalResponse,
    Message,
    Prepare,
    PreparedProposalResponse,
    PrePrepare,
)
from fiscotool.pbft.state import ReplicaState
from fiscotool.pbft.types import Height, View

_PHASES: Final = (Prepare, Commit, PrePrepare)
_ANSWERS: Final = (PreparedProposalResponse, CommittedProposalResponse)


def refuse(state: ReplicaState, message: Message) -> RejectReason | None:
    """Why nothing at all is done with `message`, or None."""
    if state.me is None or not 0 <= message.sender < state.rules.node_count:
        return RejectReason.NOT_A_SEALER
    if isinstance(message, _PHASES):
        return _refuse_phase(state, message.index, message.view) if message.digest else RejectReason.NAMELESS
    if isinstance(message, CheckPoint):
        return _refuse_height(state, message.index) if message.digest else RejectReason.NAMELESS
    if isinstance(message, _ANSWERS):
        return RejectReason.STALE_INDEX if message.index <= state.height else None
    return None


def _refuse_height(state: ReplicaState, index: Height) -> RejectReason | None:
    """Heights that are past, or further ahead than a replica keeps."""
    height, reach = state.height, state.rules.pipeline_blocks
    if index <= height:
        return RejectReason.STALE_INDEX
    if state.syncing_until >= height + reach:
        return RejectReason.SYNCING
    return RejectReason.TOO_FAR if index > height + 2 * reach else None  # state.window_blocks


def _refuse_phase(state: ReplicaState, index: Height, view: View) -> RejectReason | None:
    """Phase messages are also bound to views and to what synchronisation fetches."""
    if (reason := _refuse_height(state, index)) is not None:
        return reason
    if index <= state.syncing_until:
        return RejectReason.SYNCING
    return RejectReason.STALE_VIEW if view < state.view else None
