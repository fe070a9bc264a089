"""The switches that can be named: which guards each loosens, how far, and what follows from it.

Names are those of docs/pbft.md (holes of FISCO, public bugs F) and docs/mutants.md (M, N). A hole that changes nothing a record tells, such
as a leader that stays silent, has no guard to loosen and is not here.

Sources: observables 2, 4.1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from fiscotool.check.trace_context import Members
from fiscotool.check.trace_verdict import Breach
from fiscotool.pbft.trace import Act

__all__ = ["SWITCHES", "Switch"]

Allowance = Callable[[Breach, Members], bool]
"""Whether a breach of a guard stays within what the switch loosens."""


def _any(_breach: Breach, _members: Members) -> bool:
    return True


def _one_less(breach: Breach, members: Members) -> bool:
    """A quorum of one voter less."""
    return breach.have is not None and breach.have >= members.quorum - max(members.weights)


def _two_f_plus_1(breach: Breach, members: Members) -> bool:
    """2f+1 where W - f is more."""
    least = 2 * (members.join - 1) + 1
    return breach.have is not None and least < members.quorum and breach.have >= least


def _f_plus_1(breach: Breach, members: Members) -> bool:
    return breach.have is not None and breach.have >= members.join


def _backwards(breach: Breach, _members: Members) -> bool:
    return breach.need is not None and breach.have is not None and breach.have < breach.need


def _beyond(breach: Breach, _members: Members) -> bool:
    return breach.need is not None and breach.have is not None and breach.have > breach.need


def _led_by_view_alone(breach: Breach, members: Members) -> bool:
    """The leader is v mod n."""
    record = breach.record
    who = record.index if record.act in {Act.PROPOSE, Act.SEND_NEW_VIEW} else record.sender
    return record.view is not None and who == record.view % members.count


def _led_by_last_height(breach: Breach, members: Members) -> bool:
    """The leader is that of the height before."""
    record = breach.record
    who = record.index if record.act in {Act.PROPOSE, Act.SEND_NEW_VIEW} else record.sender
    if record.height is None or record.view is None:
        return False
    height = record.height - (record.act in {Act.PROPOSE, Act.ACCEPT_PROPOSAL})
    return who == (height // members.leader_period_blocks + record.view) % members.count


@dataclass(frozen=True, slots=True)
class Switch:
    """One relaxation. `loosens` are the guards it is about; all of `always` are breached when it is on and has any effect at all.

    `follows` are guards that may be breached in consequence.
    """

    name: str
    title: str
    title_zh: str
    loosens: dict[str, Allowance]
    always: frozenset[str] = frozenset()
    follows: frozenset[str] = frozenset()

    def allows(self, breach: Breach, members: Members) -> bool:
        """Whether this breach is legal under the switch."""
        allowance = self.loosens.get(breach.guard)
        return breach.guard in self.follows or (allowance is not None and allowance(breach, members))


def _of(
    name: str, title: str, title_zh: str, loosens: dict[str, Allowance], *, always: Sequence[str] = (), follows: Sequence[str] = ()
) -> Switch:
    return Switch(name, title, title_zh, loosens, frozenset(always), frozenset(follows))


_QUORUMS: Final = ("prepared.quorum", "committed.quorum", "newview.quorum", "enter.quorum", "stable.quorum")
_LEADERS: Final = ("propose.leader", "accept.leader", "accept.reproposed", "newview.leader")
_SPLIT: Final = ("committed.backed", "committed.same", "prepared.same", "ledger.same", "executed.same")
"""What may come of decisions by less than a quorum."""

SWITCHES: Final[tuple[Switch, ...]] = (
    _of("M1", "prepared with q-1", "以 q-1 权重进入 prepared", {"prepared.quorum": _one_less}, follows=_SPLIT),
    _of("M2", "committed with q-1", "以 q-1 权重 committed", {"committed.quorum": _one_less}, follows=_SPLIT),
    _of("M3", "a block is stable with f+1 checkpoints", "f+1 个 checkpoint 即视为稳定", {"stable.quorum": _f_plus_1}, follows=_SPLIT),
    _of(
        "M4",
        "the quorum is 2f+1 whatever n is",
        "法定多数恒为 2f+1",
        dict.fromkeys(_QUORUMS, _two_f_plus_1),
        follows=_SPLIT,
    ),
    _of(
        "N1",
        "every quorum is one less",
        "所有法定多数少一",
        dict.fromkeys(_QUORUMS, _one_less),
        always=("prepared.quorum", "committed.quorum"),
        follows=(*_SPLIT, "recover.quorum", "recover.sent", "prepared.calm", "view.behind"),
    ),
    _of("M41", "the ledger is written without stable checkpoint", "未稳定即写入账本", {"stable.quorum": _any, "ledger.stable": _any}),
    _of(
        "N12",
        "a prepared block is executed without Commits",
        "未 commit 即执行",
        {"committed.pulled": _any, "committed.quorum": _any},
        always=("committed.pulled",),
        follows=_SPLIT,
    ),
    _of("N14", "a Commit leaves with the Prepare", "Commit 与 Prepare 同时发出", {"commit.prepared": _any}, follows=_SPLIT),
    _of("N7", "votes count while asking for another view", "请求切换视图期间仍计票", {"prepared.calm": _any}),
    _of(
        "N2",
        "votes of different views are pooled",
        "不同视图的投票合并计数",
        {"prepared.quorum": _one_less, "vote.weight": _any},
        always=("prepared.quorum", "vote.weight"),
    ),
    _of(
        "duplicate-signers",
        "repeated signers are added up again (H3, M6)",
        "重复签名者重复计权（H3）",
        {"vote.distinct": _any, "vote.weight": _any},
        always=("vote.distinct",),
    ),
    _of("M7", "votes of strangers and of an old list are counted (F7, F8)", "计入非成员或旧列表的投票（F7、F8）", {"vote.member": _any}),
    _of("M10", "anyone may propose", "任何节点都可出块", {"propose.leader": _any, "accept.leader": _any}),
    _of("M46a", "the leader is v mod n: the height is left out", "领导者公式缺少高度", dict.fromkeys(_LEADERS, _led_by_view_alone)),
    _of("M46b", "the leader is computed from the last height", "按上一高度计算领导者", dict.fromkeys(_LEADERS, _led_by_last_height)),
    _of("N8", "anyone may issue a NewView (FIB-124)", "任何节点都可发出 NewView", {"newview.leader": _any}),
    _of(
        "M11",
        "a second pre-prepare replaces the first",
        "第二个 pre-prepare 取代第一个",
        {"accept.single": _any, "prepare.single": _any, "commit.single": _any},
        always=("accept.single",),
        follows=_SPLIT,
    ),
    _of("M12", "the lock is not asked", "接受提案时不检查锁", {"lock.textbook": _any}, follows=_SPLIT),
    _of(
        "M19",
        "q-1 view changes make a NewView",
        "q-1 个 ViewChange 即可产生 NewView",
        {"newview.quorum": _one_less, "enter.quorum": _one_less},
        follows=("view.behind", "prepared.calm", "recover.sent"),
    ),
    _of(
        "M15",
        "a NewView ignores certificates (H6, M14)",
        "NewView 忽略 prepared 证书（H6）",
        {"repropose.follows": _any, "newview.complete": _any},
        follows=_SPLIT,
    ),
    _of(
        "new-view-unchecked",
        "what a NewView proposes is not verified (H6, M16)",
        "不校验 NewView 的内容（H6）",
        {"accept.reproposed": _any},
    ),
    _of(
        "f1-views-pooled",
        "fewer than f+1 view changes for a view drag a node along (F1, M21)",
        "不足 f+1 的 ViewChange 即带动切换（F1）",
        {"join.weight": _any},
        follows=("ask.view",),
    ),
    _of("M30a", "a view is recovered from f+1 answers", "f+1 个应答即恢复视图", {"recover.quorum": _f_plus_1}),
    _of("M30b", "a view is recovered from one answer", "一个应答即恢复视图", {"recover.quorum": _any}),
    _of("M32", "a block sets the view back", "出块使视图回退", {"view.moved": _backwards}, follows=("timeout.view", "view.grows")),
    _of(
        "N9", "the view asked for skips one", "请求的视图跳过一个", {"timeout.view": _beyond, "ask.view": _beyond}, follows=("join.weight",)
    ),
    _of("M28b", "the timeout is never reset", "超时计数从不清零", {"timeout.cycle": _beyond}),
    _of("M28a", "the timeout does not grow (F12)", "超时不增长（F12）", {"timeout.cycle": _backwards}),
    _of("M29", "the timer fires while executing", "执行期间定时器触发", {"timeout.idle": _any}),
    _of(
        "M34", "pre-prepares outside the window are accepted", "接受窗口之外的 pre-prepare", {"accept.window": _any, "propose.window": _any}
    ),
    _of(
        "f13-far-views-kept",
        "proposals of other views are accepted (F13, FIB-133)",
        "接受其他视图的提案（F13）",
        {"accept.view": _any, "accept.past": _any},
    ),
    _of("f11-new-view-again", "a NewView is entered again (F11)", "重复进入同一 NewView（F11）", {"view.again": _any, "view.grows": _any}),
    _of("M37", "blocks are executed out of order (F9)", "区块乱序执行（F9）", {"executed.order": _any, "ledger.order": _any}),
    _of(
        "M38",
        "execution is not deterministic",
        "执行结果不确定",
        {"executed.same": _any, "checkpoint.executed": _any},
        follows=("ledger.same",),
    ),
    _of(
        "amnesia",
        "votes and locks are not durable (M40, H6)",
        "投票与锁未持久化（H6）",
        {"prepare.durable": _any, "lock.durable": _any},
        follows=_SPLIT,
    ),
    _of(
        "M42",
        "synchronised blocks are taken without certificate (H2)",
        "同步时不校验证书（H2）",
        {"synced.known": _any},
        follows=("ledger.same",),
    ),
    _of("H7", "what was written is lost with the power", "断电丢失已写入的数据（H7）", {"head.durable": _any, "disk.kept": _any}),
    _of("M23", "who sent a message is not verified (F3)", "不校验消息的发送者（F3）", {"message.sent": _any}),
)
"""Every switch a record can show."""
