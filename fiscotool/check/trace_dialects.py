"""Which step each act is in each dialect.

Sources: `trace_votes`, `trace_blocks`, `trace_views` (3.x).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from fiscotool.check import trace_agreement as agreement
from fiscotool.check import trace_asking as asking
from fiscotool.check import trace_blocks as blocks
from fiscotool.check import trace_classic as classic
from fiscotool.check import trace_commits2 as commits2
from fiscotool.check import trace_fisco2 as fisco2
from fiscotool.check import trace_proposals as proposals
from fiscotool.check import trace_views as views
from fiscotool.check import trace_votes as votes
from fiscotool.check.trace_book import Key
from fiscotool.check.trace_node import Node
from fiscotool.pbft.trace import Act, TraceRecord

__all__ = ["AUTOMATA", "Step"]

Step = Callable[[Node, TraceRecord], Key | None]

_FISCO3: Final[dict[Act, Step]] = {
    Act.START: blocks.start,
    Act.STOP: blocks.stop,
    Act.PROPOSE: proposals.propose,
    Act.ACCEPT_PROPOSAL: proposals.accept,
    Act.SEND_PREPARE: votes.send_prepare,
    Act.RECEIVE_PREPARE: votes.prepare_counted,
    Act.PREPARED: votes.prepared,
    Act.SEND_COMMIT: votes.send_commit,
    Act.RECEIVE_COMMIT: votes.commit_counted,
    Act.COMMITTED_LOCAL: agreement.committed,
    Act.EXECUTED: blocks.executed,
    Act.SEND_CHECKPOINT: blocks.send_checkpoint,
    Act.RECEIVE_CHECKPOINT: blocks.checkpoint_counted,
    Act.STABLE: blocks.stable,
    Act.LEDGER_COMMIT: blocks.ledger_commit,
    Act.SYNCED_BLOCK: blocks.synced,
    Act.HEAD: blocks.head,
    Act.TIMEOUT: asking.timeout,
    Act.FAST_VIEW_CHANGE: asking.fast_view_change,
    Act.SEND_VIEW_CHANGE: asking.send_view_change,
    Act.RECEIVE_VIEW_CHANGE: asking.view_change_counted,
    Act.SEND_NEW_VIEW: views.send_new_view,
    Act.REPROPOSE: views.repropose,
    Act.ACCEPT_NEW_VIEW: views.accept_new_view,
    Act.ENTER_VIEW: views.enter_view,
    Act.SEND_RECOVER: views.send_recover,
    Act.RECEIVE_RECOVER: views.recover_counted,
    Act.RECOVER: views.recover,
}

_FISCO2: Final[dict[Act, Step]] = {
    Act.START: blocks.start,
    Act.STOP: blocks.stop,
    Act.PROPOSE: fisco2.propose,
    Act.ACCEPT_PROPOSAL: fisco2.accept,
    Act.EXECUTED: fisco2.executed,
    Act.SEND_PREPARE: fisco2.sign_sent,
    Act.RECEIVE_PREPARE: fisco2.sign_counted,
    Act.PREPARED: fisco2.prepared,
    Act.RECEIVE_COMMIT: commits2.commit_counted,
    Act.COMMITTED_LOCAL: commits2.committed,
    Act.LEDGER_COMMIT: commits2.ledger_commit,
    Act.SYNCED_BLOCK: blocks.synced,
    Act.HEAD: commits2.head,
    Act.TIMEOUT: fisco2.timeout,
    Act.FAST_VIEW_CHANGE: fisco2.join,
    Act.SEND_VIEW_CHANGE: fisco2.send_view_change,
    Act.RECEIVE_VIEW_CHANGE: fisco2.view_change_counted,
    Act.ENTER_VIEW: fisco2.enter_view,
}

_CLASSIC: Final[dict[Act, Step]] = _FISCO3 | {
    Act.START: classic.start,
    Act.PROPOSE: classic.propose,
    Act.ACCEPT_PROPOSAL: classic.accept,
    Act.LEDGER_COMMIT: classic.ledger_commit,
    Act.HEAD: classic.head,
    Act.RECEIVE_CHECKPOINT: classic.checkpoint_counted,
    Act.STABLE: classic.stable,
    Act.TIMEOUT: classic.timeout,
    Act.FAST_VIEW_CHANGE: classic.join,
    Act.SEND_PREPARE: classic.send_prepare,
    Act.SEND_VIEW_CHANGE: classic.send_view_change,
    Act.RECEIVE_VIEW_CHANGE: classic.view_change_counted,
    Act.ENTER_VIEW: classic.enter_view,
}

AUTOMATA: Final[dict[str, dict[Act, Step]]] = {"fisco3": _FISCO3, "fisco2": _FISCO2, "classic": _CLASSIC}
