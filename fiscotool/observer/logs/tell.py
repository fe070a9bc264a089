"""The timeline in words, English and Chinese: what a happening says after its time and its nodes.

Rule. A sentence says what happened and the numbers that matter, and keeps the node's own words where there are none of ours.
"""

from __future__ import annotations

from typing import Final

from fiscotool.observer.logs.events import Kind, LogEvent
from fiscotool.observer.logs.story import BlockTold, Happening

__all__ = ["tell", "tell_event"]

_WORDS: Final[dict[Kind, tuple[str, str]]] = {
    Kind.STARTED: ("starts", "启动"),
    Kind.STOPPED: ("stops", "停止"),
    Kind.SEALED: ("seals block {height}", "打包区块 {height}"),
    Kind.PROPOSED: ("proposes block {height} ({digest})", "提议区块 {height}({digest})"),
    Kind.PROPOSAL_REFUSED: (
        "refuses the proposal of block {height} (view {view}, from {sender})",
        "拒绝区块 {height} 的提案(视图 {view},来自 {sender})",
    ),
    Kind.ACCEPTED: (
        "accepts the proposal of block {height} (view {view}, from {sender})",
        "接受区块 {height} 的提案(视图 {view},来自 {sender})",
    ),
    Kind.FUTURE: ("keeps a message for later (block {height}, view {view})", "暂存超前的消息(区块 {height},视图 {view})"),
    Kind.PREPARE_SENT: ("sends its vote to prepare block {height}", "发出区块 {height} 的 Prepare 投票"),
    Kind.PREPARE_COUNTED: (
        "counts {sender}'s prepare for block {height} (weight {weight})",
        "收到 {sender} 对区块 {height} 的 Prepare(权重 {weight})",
    ),
    Kind.PREPARED: ("has a quorum of prepares for block {height} (view {view})", "区块 {height} 的 Prepare 达到法定数(视图 {view})"),
    Kind.COMMIT_SENT: ("sends its vote to commit block {height}", "发出区块 {height} 的 Commit 投票"),
    Kind.COMMIT_COUNTED: (
        "counts {sender}'s commit for block {height} (weight {weight})",
        "收到 {sender} 对区块 {height} 的 Commit(权重 {weight})",
    ),
    Kind.COMMITTED: ("has a quorum of commits for block {height}", "区块 {height} 的 Commit 达到法定数"),
    Kind.EXECUTED: ("has executed block {height} ({digest})", "已执行区块 {height}({digest})"),
    Kind.EXECUTION_FAILED: ("cannot execute block {height}", "执行区块 {height} 失败"),
    Kind.CHECKPOINT_SENT: ("sends its checkpoint of block {height}", "发出区块 {height} 的检查点"),
    Kind.CHECKPOINT_COUNTED: (
        "counts {sender}'s checkpoint of block {height} (weight {weight})",
        "收到 {sender} 对区块 {height} 的检查点(权重 {weight})",
    ),
    Kind.CHECKPOINT_RESENT: ("sends its checkpoint of block {height} again", "重发区块 {height} 的检查点"),
    Kind.STABLE: ("has a quorum of checkpoints of block {height}", "区块 {height} 的检查点达到法定数"),
    Kind.WRITTEN: ("has written block {height}", "区块 {height} 已落盘"),
    Kind.WRITE_FAILED: ("cannot write block {height}", "区块 {height} 落盘失败"),
    Kind.REPORT: ("has block {height} ({digest}) as its head", "最新区块为 {height}({digest})"),
    Kind.TIMEOUT: ("timer expired at height {height}: gives up view {view}{asks}", "在高度 {height} 超时:放弃视图 {view}{asks}"),
    Kind.TIMER_RESTARTED: ("timer expired while block is executing: no view change", "执行区块时定时器到期:不切换视图"),
    Kind.VIEW_RAISED: ("asks for view {view}", "请求视图 {view}"),
    Kind.FAST_VIEW_CHANGE: ("f+1 nodes ask for a later view: joins them for view {view}", "f+1 个节点请求更高视图:跟随进入视图 {view}"),
    Kind.FAULTY_LEADER: (
        "the leader of view {view} is known to be away: changes the view at once",
        "视图 {view} 的 leader 不在线:立即切换视图",
    ),
    Kind.VIEW_CHANGE_SENT: ("asks for view {view} (at height {height})", "请求视图 {view}(高度 {height})"),
    Kind.VIEW_CHANGE_COUNTED: (
        "counts {sender}'s wish for view {view} (weight {weight})",
        "收到 {sender} 的视图 {view} 切换请求(权重 {weight})",
    ),
    Kind.VIEW_CHANGE_REFUSED: (
        "refuses {sender}'s wish for view {view} at height {height}",
        "拒绝 {sender} 在高度 {height} 的视图 {view} 切换请求",
    ),
    Kind.NEW_VIEW_SENT: ("leads view {view}: sends NewView", "担任视图 {view} 的 leader:发送 NewView"),
    Kind.NEW_VIEW_ACCEPTED: ("accepts NewView {view} of {sender}", "接受 {sender} 的 NewView {view}"),
    Kind.NEW_VIEW_REFUSED: ("refuses NewView {view} of {sender}", "拒绝 {sender} 的 NewView {view}"),
    Kind.REPROPOSED: ("proposes block {height} ({digest}) again in view {view}", "在视图 {view} 重新提议区块 {height}({digest})"),
    Kind.VIEW_ENTERED: ("enters view {view}", "进入视图 {view}"),
    Kind.ROTATED: ("goes on to view {view}: nothing to do in the one before", "空闲轮换到视图 {view}"),
    Kind.ROTATION_JOINED: ("the others go on to view {view}: goes along", "其他节点已空闲轮换到视图 {view}:跟随"),
    Kind.RECOVER_SENT: ("tells a node that asks for view {view} which view is current", "告知请求视图 {view} 的节点当前视图"),
    Kind.RECOVER_COUNTED: ("is told by another node that view {view} is current (weight {weight})", "得知当前视图为 {view}(权重 {weight})"),
    Kind.RECOVERED: ("takes over view {view} from the others", "从其他节点恢复到视图 {view}"),
    Kind.CATCH_UP: ("catch-up at height {height}: {text}", "追赶(高度 {height}):{text}"),
    Kind.PROPOSAL_PULLED: ("has fetched the proposal of block {height}", "已拉取区块 {height} 的提案"),
    Kind.SYNC_REQUESTED: ("asks for blocks up to {height}", "请求同步到区块 {height}"),
    Kind.SYNCED: ("gets block {height} by sync", "通过同步得到区块 {height}"),
    Kind.SYNC_DONE: ("has caught up by sync", "同步完成"),
    Kind.SYNC_REFUSED: ("refuses a block it was sent by sync ({height})", "拒绝同步来的区块 {height}"),
    Kind.MEMBERS: ("the group has {weight} sealers (height {height})", "共识节点数 {weight}(高度 {height})"),
    Kind.CONFIG: ("{weight} sealers from here on", "此后共有 {weight} 个共识节点"),
    Kind.PEERS: ("is connected to {weight} peers", "连接的节点数 {weight}"),
    Kind.PEER_CONNECTED: ("connected to {endpoint}", "已连接 {endpoint}"),
    Kind.PEER_LOST: ("lost a peer", "与节点断开"),
    Kind.BAD_SIGNATURE: (
        "refuses a bad signature of {sender} (block {height}, view {view})",
        "拒绝 {sender} 的无效签名(区块 {height},视图 {view})",
    ),
    Kind.CONFLICT: (
        "FOUND TWO DIFFERENT PREPARED PROPOSALS of block {height}: safety is broken",
        "发现区块 {height} 有两个不同的已准备提案:安全性被破坏",
    ),
    Kind.BOOKKEEPING: ("{text}", "{text}"),
    Kind.UNKNOWN: ("? {message}", "? {message}"),
}
_ASKS: Final = (", asks for view {to_view} (attempt {cycle})", ",请求视图 {to_view}(第 {cycle} 次)")
_SYNCED: Final = ("gets blocks {first} to {last} by sync ({count})", "通过同步得到区块 {first} 至 {last}({count} 个)")
_BADGES_END: Final = "]"


def tell(happening: Happening, names: dict[int, str], *, chinese: bool = False) -> str:
    """What happened, without time and nodes."""
    if happening.block is not None:
        return _tell_block(happening.block, names, chinese=chinese)
    first = happening.event.height
    if happening.kind is Kind.SYNCED and first is not None and happening.count > 1:
        return _SYNCED[chinese].format(first=first, last=first + happening.count - 1, count=happening.count)
    return tell_event(happening.event, names, chinese=chinese)


def tell_event(event: LogEvent, names: dict[int, str], *, chinese: bool = False) -> str:
    """One event of one node."""
    state = event.state
    asks = ""
    if state is not None:
        asks = _ASKS[chinese].format(to_view=state.to_view, cycle=state.change_cycle)
    elif event.kind is Kind.TIMEOUT and (wanted := event.fields.get("toV")):
        asks = _ASKS[chinese].split("{to_view}")[0] + wanted
    return _WORDS[event.kind][chinese].format(
        height=_shown(event.height),
        view=_shown(event.view),
        digest=event.digest or "?",
        sender=_name(event.sender, names),
        weight=_shown(event.weight),
        text=event.text.rsplit(_BADGES_END, 1)[-1] or event.text,
        message=event.message,
        endpoint=event.fields.get("endpoint", "a peer"),
        asks=asks,
    )


def _shown(value: int | None) -> str:
    return "?" if value is None else str(value)


def _name(index: int | None, names: dict[int, str]) -> str:
    if index is None:
        return "?"
    return names.get(index, f"#{index}")


def _tell_block(block: BlockTold, names: dict[int, str], *, chinese: bool) -> str:
    proposer = _name(block.proposer, names) if block.proposer is not None else "?"
    txs = "" if block.tx_count is None else (f",{block.tx_count} 笔交易" if chinese else f", {block.tx_count} tx")
    if chinese:
        parts = [f"区块 {block.height} {block.digest},{proposer} 提议{_in_view(block, chinese=True)}{txs}"]
    else:
        parts = [f"block {block.height} {block.digest} by {proposer}{_in_view(block, chinese=False)}{txs}"]
    if block.proposed_s is not None:
        steps = (("prepared", "准备", block.prepared_s), ("committed", "提交", block.committed_s), ("written", "落盘", block.head_s))
        for english, word, times_s in steps:
            agreed = [at_s for node, at_s in times_s.items() if node not in block.synced]
            if agreed:
                parts.append(
                    f"{word if chinese else english} +{_ms(min(agreed) - block.proposed_s)}…{_ms(max(agreed) - block.proposed_s)} ms"
                )
    if block.agreed:
        count = len(block.agreed)
        parts.append(f"{count} 个节点" if chinese else f"{count} node{'s' if count > 1 else ''}")
    if block.synced:
        parts.append(("同步: " if chinese else "by sync: ") + " ".join(sorted(block.synced)))
    return (";" if chinese else "; ").join(part for part in parts if part)


def _in_view(block: BlockTold, *, chinese: bool) -> str:
    if block.view is None:
        return ""
    return f"(视图 {block.view})" if chinese else f" in view {block.view}"


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
