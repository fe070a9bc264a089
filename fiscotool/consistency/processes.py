"""Did only what was broken on purpose break?

Theory. A real node was seen to crash seconds after it was resumed, while the others went on: the chain's properties all hold, and an
operator wants to know nevertheless. A process that ends without having been asked to is told from one that was killed by the faults
of the recording, and from a slow one by its identity (pid and start time).

Sources: recordings v3 (crash after resume); docs/invariants.md.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from fiscotool.consistency.examination import Examination, Words, evidence
from fiscotool.consistency.facts import Facts
from fiscotool.consistency.findings import Evidence, Finding, Invariant, InvariantClass
from fiscotool.consistency.observations import Sample

PROCESS_ALIVE: Final = Invariant(
    "process-alive",
    InvariantClass.LIVENESS,
    "No process ends unasked",
    "没有进程自行终止",
    "A node that answered goes on answering until something is done to it: its process is not replaced by another, and it does "
    "not fall "
    "silent for more than 10 s until the end of the recording, outside of the faults of the run.",
    "曾经应答的节点在未受操作时持续应答：除本次运行注入的故障外，其进程不会变为另一个进程，也不会沉默超过 10 秒直至记录结束。",
    "docs/invariants.md; recordings v3 (crash after resume)",
)

_SILENT_S: Final = 10.0


def check_process_alive(facts: Facts) -> Finding:
    """No unasked end of a process."""
    exam = Examination(PROCESS_ALIVE)
    for node, lives in facts.lives.items():
        if not lives:
            exam.note(evidence(Words(f"{node} never answered.", f"{node} 从未应答。"), node=node))
            continue
        exam.checked_count += 1
        for earlier, later in pairwise(lives):
            if earlier.incarnation is None or later.incarnation is None:
                continue
            if not _was_touched(facts, node, earlier.last_sent_s, later.first_got_s):
                exam.breach(_ended(node, earlier.samples[-1], later.samples[0]))
        _check_silence(exam, facts, node, lives[-1].samples[-1])
    return exam.finding(
        Words(f"{exam.checked_count} nodes ended only when asked to.", f"{exam.checked_count} 个节点只在被操作时终止。"),
        Words("No node answered.", "没有节点应答。"),
    )


def _was_touched(facts: Facts, node: str, from_s: float, to_s: float) -> bool:
    return any(f.node == node and f.injected_s <= to_s and (f.healed_s is None or f.healed_s >= from_s) for f in facts.observations.faults)


def _ended(node: str, last: Sample, first: Sample) -> Evidence:
    return evidence(
        Words(
            f"{node} was replaced by another process between {last.got_s:.2f} and {first.got_s:.2f} s, and nobody asked for it: a crash?",
            f"{node} 在 {last.got_s:.2f} 至 {first.got_s:.2f} 秒之间变为另一个进程，但并无此操作：可能崩溃过。",
        ),
        node=node,
        lines=(last.line, first.line),
    )


def _check_silence(exam: Examination, facts: Facts, node: str, last: Sample) -> None:
    """A node that fell silent and never answered again."""
    failures = [s for s in facts.samples_of[node] if s.error and s.sent_s > last.got_s]
    if not failures or failures[-1].sent_s - last.got_s < _SILENT_S or _was_touched(facts, node, last.sent_s, failures[0].got_s):
        return
    exam.breach(
        evidence(
            Words(
                f"{node} stopped answering at {last.got_s:.2f} s and never answered again ({failures[0].error}); nobody asked "
                f"for it: a crash?",
                f"{node} 自 {last.got_s:.2f} 秒起不再应答（{failures[0].error}），但并无此操作：可能已崩溃。",
            ),
            node=node,
            lines=(last.line, failures[0].line),
        )
    )
