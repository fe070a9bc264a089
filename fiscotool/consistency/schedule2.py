"""Was every block of a 2.x chain proposed by the leader of a view that time allowed?

Theory. In 2.x the view is 0 at every node when it reports block h - 1, and leader(h, v) = (v + h - 1) mod n. The fastest legitimate change
of view is that of an idle chain: the leader proposes nothing 1 s after its last report or view change, and everybody moves on. So in
the time t from when nobody can have had block h - 1 to when somebody had block h, the view was at most ⌊t⌋, and the proposer is the
leader of one of the views 0 … ⌊t⌋.

What is invisible. If that leaves n or more views open, every sealer fits: such a block is not counted as checked. A block proposed again
from a lock keeps its first sealer, of an earlier view of the same height, which the range covers.

Sources: spec 2.x 1.1, 1.4, 1.7, 1.8, 1.10, 1.11; recordings v2/timeline (every block).
"""

from __future__ import annotations

import math
from typing import Final

from fiscotool.consistency.examination import Examination, Words, evidence
from fiscotool.consistency.facts import FOREVER, Facts
from fiscotool.consistency.findings import Finding
from fiscotool.consistency.schedule import LEADER_SCHEDULE

VIEW_LASTS_S: Final = 1.0
"""The empty block time, not configurable (TimeManager.h)."""
_CLOCK_SLACK: Final = 0.03


def check_leader_schedule2(facts: Facts) -> Finding:
    """Every block against the views there was time for."""
    exam = Examination(LEADER_SCHEDULE)
    open_count = 0
    for number, block in facts.chain.items():
        count = len(block.sealer_list)
        took_s = facts.first_shown_s(number) - facts.committed_after_s(number - 1) if number > 1 else FOREVER
        if not count or took_s == FOREVER:
            continue
        view_max = math.floor(took_s * (1 + _CLOCK_SLACK) / VIEW_LASTS_S)
        if view_max + 1 >= count:
            open_count += 1
            continue
        exam.checked_count += 1
        leaders = [(number - 1 + view) % count for view in range(view_max + 1)]
        if block.sealer in leaders:
            continue
        name, named = facts.sealer_name(block, block.sealer), ", ".join(facts.sealer_name(block, index) for index in leaders)
        exam.breach(
            evidence(
                Words(
                    f"Block {number} came within {took_s:.2f} s of the one before, in a view of 0 to {view_max}: its leader is {named}, "
                    f"and it names {name}.",
                    f"区块 {number} 在上一区块之后 {took_s:.2f} 秒内出现，视图为 0 至 {view_max}："
                    f"领导者应为 {named}，而其出块者为 {name}。",
                ),
                node=name,
                height=number,
                lines=(block.line,),
                sealer=block.sealer,
                leaders=leaders,
            )
        )
    if open_count:
        exam.note(
            evidence(
                Words(
                    f"{open_count} blocks took so long that any sealer may have led.",
                    f"{open_count} 个区块间隔过长，任何共识节点都可能是领导者。",
                )
            )
        )
    return exam.finding(
        Words(
            f"{exam.checked_count} blocks come from a leader there was time for.",
            f"{exam.checked_count} 个区块的出块者符合时间所允许的领导者。",
        ),
        Words("No two blocks were seen closely enough one after the other.", "没有足够接近地观测到相邻的两个区块。"),
    )
