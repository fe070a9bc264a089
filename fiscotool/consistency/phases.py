"""Does a block come sooner than its messages can have travelled?

Theory. Where every message takes at least d (a wide-area network, or a delay put in on purpose), agreement takes as many of them as it has
phases, one after the other: the proposal, the votes on it, the votes on those, and in 3.x the signed results. A quorum that has each phase
behind it has honest members, who speak only when they have heard the phase before. A block that is there sooner has skipped a phase.

Sources: OSDI'99 4.2; spec 3.x 1.8, 2.x 1.1.
"""

from __future__ import annotations

from typing import Final

from fiscotool.consistency.examination import Examination, Words, evidence
from fiscotool.consistency.facts import FOREVER, Facts
from fiscotool.consistency.findings import Finding, Invariant, InvariantClass

PHASE_TIME: Final = Invariant(
    "phase-time",
    InvariantClass.SAFETY,
    "No block before its votes can have travelled",
    "区块不早于投票所需的传输时间",
    "Where every message is known to take at least d, no block appears sooner than p·d after its last transaction was sent: p is 4 in 3.x "
    "(pre-prepare, prepare, commit, checkpoint) and 3 elsewhere.",
    "已知每条消息至少耗时 d 时，区块不会在其最后一笔交易发送后 p·d 之内出现："
    "3.x 中 p 为 4（pre-prepare、prepare、commit、checkpoint），其他为 3。",
    "OSDI'99 4.2; spec 3.x 1.8",
    is_required=False,
)

_PHASES: Final = {"fisco3": 4, "fisco2": 3, "classic": 3}


def check_phase_time(facts: Facts) -> Finding:
    """Every block whose transactions are dated."""
    exam = Examination(PHASE_TIME)
    least_s = facts.run.delay_min_s or 0.0
    phases = _PHASES.get(facts.run.protocol, 3)
    for number, block in facts.chain.items() if least_s else ():
        sent = [facts.txs_by_hash[tx][0].sent_s for tx in block.tx_hashes if tx in facts.txs_by_hash]
        shown_s = facts.first_shown_s(number)
        if not sent or shown_s == FOREVER:
            continue
        exam.checked_count += 1
        took_s = shown_s - max(sent)
        if took_s < phases * least_s:
            exam.breach(
                evidence(
                    Words(
                        f"Block {number} was there {took_s:.3f} s after its transaction was sent; {phases} messages one after the other "
                        f"take {phases * least_s:.3f} s.",
                        f"区块 {number} 在其交易发送 {took_s:.3f} 秒后即出现；依次传输 {phases} 条消息需要 {phases * least_s:.3f} 秒。",
                    ),
                    height=number,
                    lines=(block.line,),
                )
            )
    return exam.finding(
        Words(f"{exam.checked_count} blocks, none sooner than their votes.", f"{exam.checked_count} 个区块，均不早于其投票。"),
        Words("Nothing is known of how long messages take at least.", "不知道消息的最短传输时间。"),
    )
