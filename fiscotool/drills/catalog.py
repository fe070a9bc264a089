"""The drills that come with the tool. docs/drills.md explains each and shows what real chains did under it.

Sources: fault catalogue N1-N8; recordings of real 3.x chains (timelines of the same names).
"""

from __future__ import annotations

from fiscotool.drills.fault import FaultKind
from fiscotool.drills.plan import AwaitBlocks, AwaitRecovered, Break, Drill, ForEachNode, Heal, Hold, Pick
from fiscotool.errors import UsageError

_WARM = AwaitBlocks(count=3, within_s=30.0)
_SETTLE = AwaitBlocks(count=4, within_s=40.0)

DRILLS: tuple[Drill, ...] = (
    Drill(
        "kill-leader",
        "Kill the leader and restart it",
        "杀死当前主节点后重启",
        "The others change the view within a timeout and go on; the killed node comes back, catches up and joins their view.",
        "其余节点在一个超时周期内完成视图切换并继续出块；被杀节点重启后追上高度并回到同一视图。",
        (_WARM, Break(FaultKind.KILL, Pick.LEADER), _SETTLE, Heal(), AwaitRecovered(60.0), _SETTLE),
    ),
    Drill(
        "kill-follower",
        "Kill a follower and restart it",
        "杀死一个从节点后重启",
        "Blocks go on; whenever the dead node would lead, the view changes at once.",
        "出块不中断；轮到已死节点出块时立即切换视图。",
        (_WARM, Break(FaultKind.KILL, Pick.FOLLOWER), AwaitBlocks(6, 40.0), Heal(), AwaitRecovered(60.0), _SETTLE),
    ),
    Drill(
        "kill-two",
        "Kill two of four: lose the quorum, then regain it",
        "四个节点杀死两个：失去法定人数后恢复",
        "No block while two are down; after the restart the chain goes on within the bound of the timers and nothing is lost.",
        "两个节点宕机期间不出块；重启后在定时器给出的界限内恢复出块，且不丢失任何交易。",
        (
            _WARM,
            Break(FaultKind.KILL, Pick.LEADER),
            Break(FaultKind.KILL, Pick.FOLLOWER),
            Hold(10.0),
            Heal(),
            AwaitRecovered(90.0),
            _SETTLE,
        ),
    ),
    Drill(
        "pause-leader",
        "Freeze the leader and let it go on",
        "冻结主节点后恢复",
        "Its connections stay open, so each of its turns costs a full timeout; after it goes on it must not fork or vote twice.",
        "连接保持但不响应，轮到它时需等待完整超时；恢复后不得分叉或重复投票。",
        (_WARM, Break(FaultKind.PAUSE, Pick.LEADER), AwaitBlocks(4, 45.0), Heal(), AwaitRecovered(60.0), _SETTLE),
    ),
    Drill(
        "rolling-restart",
        "Restart every node in turn",
        "逐个重启所有节点",
        "The chain keeps its quorum and never stops for longer than the timers allow.",
        "链始终保有法定人数，停顿不超过定时器允许的界限。",
        (_WARM, ForEachNode(FaultKind.STOP, hold_s=0.0, recover_within_s=60.0), _SETTLE),
    ),
    Drill(
        "full-restart",
        "Stop every node, then start them all",
        "全部停止后重新启动",
        "Heights survive, views start again near 3, blocks go on; nothing that was acknowledged is lost.",
        "高度保留，视图从约 3 重新开始，继续出块；已确认的交易不丢失。",
        (_WARM, Break(FaultKind.STOP, Pick.EVERY), Heal(), AwaitRecovered(60.0), _SETTLE),
    ),
)


def drill_named(name: str) -> Drill:
    """The drill of this name. Raises UsageError listing the names there are."""
    for drill in DRILLS:
        if drill.name == name:
            return drill
    raise UsageError(f"there is no drill {name!r}", hint="the drills are: " + ", ".join(drill.name for drill in DRILLS))
