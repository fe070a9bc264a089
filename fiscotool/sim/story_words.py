"""The words of a story: every kind of fact and chapter as a sentence, in English and in Chinese.

Rule. Both sentences of a kind name the same values (tests/sim/test_story.py compares them), so both languages tell the same facts. Times,
      node names, numbers and digests are the same text in both.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from fiscotool.sim.story import Chapter, Fact

LANGUAGES: Final = ("en", "zh")

CHAPTERS: Final[dict[str, tuple[str, str]]] = {
    "height": ("Height {height} in view {view}", "高度 {height}，视图 {view}"),
    "quiet": ("Heights {first} to {last} in view {view}: as it should be", "高度 {first} 至 {last}，视图 {view}：一切正常"),
    "quiet-one": ("Height {first} in view {view}: as it should be", "高度 {first}，视图 {view}：一切正常"),
    "view": ("The way into view {view}", "进入视图 {view} 的过程"),
    "world": ("What happened around them", "外部发生的事"),
}

FACTS: Final[dict[str, tuple[str, str]]] = {
    "all-well": ("{count} blocks proposed by {nodes}, agreed on and written", "{count} 个区块由 {nodes} 提议，达成一致并写入账本"),
    "proposes": (
        "{nodes} proposes block {block} for height {height} in view {view}",
        "{nodes} 在视图 {view} 为高度 {height} 提议区块 {block}",
    ),
    "equivocates": (
        "{nodes} proposes a second block, {block}, for height {height} in view {view}",
        "{nodes} 在视图 {view} 又为高度 {height} 提议了另一个区块 {block}",
    ),
    "accepts": ("{nodes} accept block {block} and vote for it", "{nodes} 接受区块 {block} 并为其投票"),
    "prepare-quorum": (
        "block {block} is prepared: {voters} weigh {weight} of {total}, quorum {quorum}; seen so by {nodes}",
        "区块 {block} 达到 prepared：{voters} 的权重为 {weight}（共 {total}，法定 {quorum}）；看到者：{nodes}",
    ),
    "commit-quorum": (
        "block {block} is agreed on: commits of {voters} weigh {weight} of {total}, quorum {quorum}; seen so by {nodes}",
        "区块 {block} 达成一致：{voters} 的 commit 权重为 {weight}（共 {total}，法定 {quorum}）；看到者：{nodes}",
    ),
    "checkpoint-quorum": (
        "result {block} is stable: checkpoints of {voters} weigh {weight} of {total}, quorum {quorum}; seen so by {nodes}",
        "执行结果 {block} 已稳定：{voters} 的 checkpoint 权重为 {weight}（共 {total}，法定 {quorum}）；看到者：{nodes}",
    ),
    "executes": ("{nodes} execute the block; the result is {block}", "{nodes} 执行该区块，结果为 {block}"),
    "writes": ("{nodes} write block {height}, {block}", "{nodes} 写入区块 {height}，{block}"),
    "fetches": ("{nodes} fetch block {height}, {block}, from others", "{nodes} 从其他节点同步区块 {height}，{block}"),
    "times-out": (
        "the view timer of {nodes} runs out in view {view}: view {target} is next",
        "{nodes} 在视图 {view} 超时，目标视图 {target}",
    ),
    "joins": ("{nodes} join, for f+1 weight asks for view {target}", "{nodes} 因权重 f+1 的节点请求视图 {target} 而加入"),
    "misses-leader": (
        "{nodes} find the next leader of view {view} gone or far behind, and wait for no timer",
        "{nodes} 发现视图 {view} 的下一主节点断开或落后太多，不等超时",
    ),
    "asks": ("{nodes} ask for view {target}; their ledgers end at {height} or above", "{nodes} 请求视图 {target}；账本高度不低于 {height}"),
    "no-view": (
        "reason: {nodes} were asking for view {asked} already, and nobody announced it in time",
        "原因：{nodes} 此前已请求视图 {asked}，但无人及时宣布该视图",
    ),
    "leader-down": (
        "reason: {leader}, who leads height {height} in view {view}, is down",
        "原因：视图 {view} 中高度 {height} 的主节点 {leader} 已停机",
    ),
    "leader-cut-off": (
        "reason: {leader}, who leads height {height} in view {view}, is cut off from {nodes}",
        "原因：视图 {view} 中高度 {height} 的主节点 {leader} 与 {nodes} 之间网络不通",
    ),
    "leader-lies": (
        "reason: {leader}, who leads height {height} in view {view}, is Byzantine ({strategy})",
        "原因：视图 {view} 中高度 {height} 的主节点 {leader} 是拜占庭节点（{strategy}）",
    ),
    "leader-waits": (
        "reason: {leader}, who leads height {height} in view {view}, is itself not in that view",
        "原因：视图 {view} 中高度 {height} 的主节点 {leader} 自身不在该视图",
    ),
    "no-quorum": (
        "reason: {leader} leads height {height} in view {view}, but no quorum answered {nodes} in time",
        "原因：视图 {view} 中高度 {height} 的主节点 {leader} 在位，但 {nodes} 未及时等到法定权重",
    ),
    "new-view": (
        "{nodes} shows view changes of {voters}, weight {weight} of {total}, quorum {quorum}, and announces view {view}",
        "{nodes} 出示 {voters} 的视图切换请求，权重 {weight}（共 {total}，法定 {quorum}），宣布视图 {view}",
    ),
    "reproposes": (
        "{nodes} proposes block {block} again, for height {height} in view {view}",
        "{nodes} 在视图 {view} 为高度 {height} 重新提议区块 {block}",
    ),
    "enters": ("{nodes} enter view {view}", "{nodes} 进入视图 {view}"),
    "recovers": (
        "{nodes} find the view {view} by answers of {voters}, weight {weight} of {total}, quorum {quorum}",
        "{nodes} 根据 {voters} 的应答恢复到视图 {view}，权重 {weight}（共 {total}，法定 {quorum}）",
    ),
    "crash": ("{node} stops, its durable records stay", "{node} 停机，持久化记录仍在"),
    "start": ("{node} starts (life {life})", "{node} 启动（第 {life} 次）"),
    "split": ("the network splits: {parts}", "网络分区：{parts}"),
    "heal": ("the network is whole again", "网络恢复连通"),
    "weather": (
        "the network has delays up to {delay_ms} ms, loss {loss}, duplicates {doubled}",
        "网络延迟至多 {delay_ms} ms，丢包 {loss}，重复 {doubled}",
    ),
    "submit": ("{count} transactions arrive", "收到 {count} 笔交易"),
    "peace": (
        "the trouble ends; {core} must write {blocks} more blocks than anyone has",
        "故障结束；{core} 须比当前最高者多写 {blocks} 个区块",
    ),
    "converged": ("{core} did: heights {heights}", "{core} 做到了：高度 {heights}"),
    "stuck": ("LIVENESS BROKEN: {core} did not: heights {heights}", "活性被破坏：{core} 未做到：高度 {heights}"),
    "stands": (
        "{core} stand still at heights {heights}, as this protocol is known to: {stall}",
        "{core} 停在高度 {heights}，是该协议已知的停滞：{stall}",
    ),
    "violation": ("WRONG ({rule}) at {node}, height {height}: {detail}", "错误（{rule}）：{node}，高度 {height}：{detail}"),
}

LIST_MARK: Final = {"en": ", ", "zh": "、"}


def sentence(fact: Fact, language: str) -> str:
    """A fact in one language."""
    return _told(FACTS[fact.kind], {**fact.values, "nodes": ", ".join(fact.nodes)}, language)


def heading(chapter: Chapter, language: str) -> str:
    """A chapter's title."""
    is_single = chapter.kind == "quiet" and chapter.values["first"] == chapter.values["last"]
    return _told(CHAPTERS["quiet-one" if is_single else chapter.kind], chapter.values, language)


def _told(pair: tuple[str, str], values: dict[str, Any], language: str) -> str:
    """A template with its values; what was not told is a dash."""
    text = pair[LANGUAGES.index(language)].format_map(_Dashes(values))
    return text.replace(", node", LIST_MARK[language] + "node")


class _Dashes(dict[str, Any]):
    """What a source does not tell is a dash."""

    def __missing__(self, key: str) -> str:
        return "-"


def in_order(facts: Iterable[Fact]) -> list[Fact]:
    """By time, and at one time in the order of the words: what is proposed comes before who accepts it."""
    return sorted(facts, key=lambda fact: (round(fact.at_s, 3), list(FACTS).index(fact.kind)))


def text_of(chapters: Iterable[Chapter], language: str) -> str:
    """The whole story."""
    lines: list[str] = []
    for chapter in chapters:
        lines.append(f"[{chapter.at_s:.3f} s] {heading(chapter, language)}")
        lines += [f"  {fact.at_s:.3f}  {sentence(fact, language)}" for fact in in_order(chapter.facts)]
    return "\n".join(lines)
