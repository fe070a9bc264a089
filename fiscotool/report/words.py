"""Every word of the reports in English and Chinese, side by side, so that neither can be forgotten.

Findings bring their own sentences in both languages; what is here is the frame around them.

Sources: docs/report.md.
"""

from __future__ import annotations

from typing import Final, Literal

from fiscotool.consistency.findings import InvariantClass, Verdict
from fiscotool.errors import UsageError

Lang = Literal["en", "zh"]

LANGS: Final[tuple[Lang, ...]] = ("en", "zh")

_WORDS: Final[dict[str, tuple[str, str]]] = {
    "title": ("Consistency report", "一致性报告"),
    "brand": ("fiscotool", "fiscotool"),
    "skip": ("Skip to the verdict", "跳到结论"),
    "holds_sentence": ("The nodes did what PBFT allows.", "各节点的行为符合 PBFT。"),
    "violated_sentence": ("The nodes broke a rule: {title}.", "节点违反了规则：{title}。"),
    "violated_sentence_many": ("The nodes broke {count} rules, first of all: {title}.", "节点违反了 {count} 条规则，首先是：{title}。"),
    "inconclusive_sentence": ("This recording cannot decide it.", "本次记录不足以得出结论。"),
    "holds": ("holds", "成立"),
    "violated": ("violated", "违反"),
    "inconclusive": ("inconclusive", "无法判断"),
    "safety": ("Safety", "安全性"),
    "liveness": ("Liveness", "活性"),
    "durability": ("Durability", "持久性"),
    "conformance": ("Conformance", "一致于实现"),
    "count_line": (
        "{holds} of {total} invariants hold, {violated} violated, {inconclusive} could not be tested in this run.",
        "{total} 条不变式中 {holds} 条成立，{violated} 条违反，{inconclusive} 条在本次运行中无法检验。",
    ),
    "tile_invariants": ("Invariants", "不变式"),
    "tile_invariants_note": ("of those tested hold; {untested} not tested", "已检验的成立；{untested} 条未检验"),
    "tile_rto": ("Longest interruption", "最长中断"),
    "tile_rto_note": ("RTO ± {error} s", "RTO ± {error} 秒"),
    "tile_rto_none": ("no fault interrupted it", "没有故障造成中断"),
    "tile_rto_never": ("did not go on", "未恢复"),
    "tile_rpo": ("Lost transactions", "丢失的交易"),
    "tile_rpo_note": ("RPO, of {count} acknowledged", "RPO，已确认 {count} 笔"),
    "tile_rpo_unknown": ("not known", "未知"),
    "tile_blocks": ("Blocks made", "出块数"),
    "tile_blocks_note": ("height {low} → {high}", "高度 {low} → {high}"),
    "tile_views": ("View changes", "视图切换"),
    "tile_views_note": ("largest view {high}", "最大视图 {high}"),
    "tile_txs": ("Transactions", "交易"),
    "tile_txs_note": (
        "{committed} acknowledged, {unknown} unanswered, {refused} refused",
        ("{committed} 笔已确认，{unknown} 笔无答复，{refused} 笔被拒"),
    ),
    "what_happened": ("What happened", "经过"),
    "story_start": (
        "{nodes} nodes watched for {seconds} s; the chain stood at height {height}, view {view}.",
        "观测 {nodes} 个节点共 {seconds} 秒；开始时链高度为 {height}，视图为 {view}。",
    ),
    "story_fault": ("{kind}: {node}{role}.", "{kind}：{node}{role}。"),
    "story_rto": (
        "The first block sealed after it appeared {rto} s later (± {error} s){bound}.",
        "其后出块的第一个区块在 {rto} 秒后出现（± {error} 秒）{bound}。",
    ),
    "story_bound": ("; the timers allow {bound} s", "，定时器上限为 {bound} 秒"),
    "story_no_rto": ("No new block was seen after it: {note}.", "其后未见新区块：{note}。"),
    "story_node_rto": (
        "{node} healed; {seconds} s later it was in the others' view, out of time-out and at their height.",
        "{node} 已修复；{seconds} 秒后回到其他节点的视图与高度，且不再超时。",
    ),
    "story_node_not_back": (
        "{node} healed; it was not seen back in the others' view and at their height.",
        "{node} 已修复；但未观测到它回到其他节点的视图与高度。",
    ),
    "story_never_healed": ("{node} was not healed while watched.", "观测期间 {node} 未修复。"),
    "story_log_timeout": ("{who}: the timer expired; {leader} led view {view}.", "{who}：定时器超时；{leader} 主持视图 {view}。"),
    "story_log_away": ("{who}: the leader is away; {leader} led view {view}.", "{who}：leader 不在线；{leader} 主持视图 {view}。"),
    "story_log_more": ("{count} more view changes.", "另有 {count} 次视图切换。"),
    "story_end": (
        "End: height {height}, view {view}. {sent} transactions sent, {committed} acknowledged, {lost} of them lost.",
        "结束：高度 {height}，视图 {view}。发送 {sent} 笔交易，确认 {committed} 笔，其中丢失 {lost} 笔。",
    ),
    "story_end_plain": ("End: height {height}, view {view}.", "结束：高度 {height}，视图 {view}。"),
    "unknown_number": ("an unknown number", "未知数量"),
    "timeline": ("Timeline", "时间线"),
    "timeline_hint": (
        (
            "Time in seconds from the start of the recording. Shaded: a fault, from injection to heal. Lines of nodes that agree run "
            "side by side; a line is interrupted while its node does not answer."
        ),
        "横轴为自记录开始的秒数。阴影为故障区间（注入至修复）。节点一致时曲线并行；节点无应答时曲线中断。",
    ),
    "chart_height": ("Height", "高度"),
    "chart_view": ("View", "视图"),
    "chart_nodes": ("Nodes", "节点"),
    "chart_txs": ("Transactions per second", "每秒交易数"),
    "chart_seconds": ("seconds", "秒"),
    "chart_alt": (
        "Height and view of {nodes} nodes over {seconds} seconds, with {faults} faults.",
        "{nodes} 个节点在 {seconds} 秒内的高度与视图，含 {faults} 次故障。",
    ),
    "legend_timeout": ("in time-out (view change)", "超时中（视图切换）"),
    "legend_fault": ("fault", "故障"),
    "legend_restart": ("new process", "新进程"),
    "legend_sent": ("sent per second", "每秒发送"),
    "legend_committed": ("acknowledged per second", "每秒确认"),
    "recovery": ("Recovery", "恢复"),
    "recovery_hint": (
        (
            "RTO: from injection until the first block certainly sealed after it was seen; it may be too long by the sampling "
            "error, never too short. "
            "Bound: what the timers allow. Node back: from the heal until the node is in the others' view, out of time-out and at "
            "their height. "
            "RPO: acknowledged transactions lost."
        ),
        (
            "RTO：自注入到首次看到确定在其后出块的区块；最多偏大一个采样误差，不会偏小。上限：定时器允许的时间。"
            "节点恢复：自修复到节点回到其他节点的视图与高度且不再超时。RPO：丢失的已确认交易数。"
        ),
    ),
    "no_faults": ("No fault was injected in this run.", "本次运行未注入故障。"),
    "col_fault": ("Fault", "故障"),
    "col_node": ("Node", "节点"),
    "col_injected": ("Injected", "注入"),
    "col_healed": ("Healed", "修复"),
    "col_rto": ("RTO", "RTO"),
    "col_bound": ("Bound", "上限"),
    "col_node_rto": ("Node back", "节点恢复"),
    "col_rpo": ("RPO", "RPO"),
    "col_note": ("Note", "备注"),
    "not_seen": ("not seen", "未观测到"),
    "none": ("–", "–"),
    "within": ("within the bound", "在上限之内"),
    "beyond": ("beyond the bound", "超出上限"),
    "invariants": ("Invariants", "不变式"),
    "invariants_hint": (
        (
            "Three verdicts: a rule that was never put to the test is inconclusive, not passed. “Checked” counts how often it "
            "could have failed."
        ),
        "三种结论：从未真正受到检验的规则记为「无法判断」，不算通过。「检验次数」为它本可能失败的次数。",
    ),
    "col_verdict": ("Verdict", "结论"),
    "col_invariant": ("Invariant", "不变式"),
    "col_finding": ("Finding", "发现"),
    "col_checked": ("Checked", "检验次数"),
    "definition": ("Definition", "定义"),
    "source": ("Source", "来源"),
    "evidence": ("Evidence", "证据"),
    "no_evidence": ("No single fact to point at.", "没有可指出的单个事实。"),
    "no_exception": ("All {count} checks passed; there is no exception to point at.", "{count} 次检验全部通过，没有可指出的例外。"),
    "line": ("line", "行"),
    "lines": ("recording lines", "记录行"),
    "filter_all": ("All", "全部"),
    "expand": ("Expand all", "全部展开"),
    "collapse": ("Collapse all", "全部收起"),
    "topology": ("Topology", "拓扑"),
    "col_role": ("Role", "角色"),
    "col_address": ("Address", "地址"),
    "col_ports": ("Ports (P2P / RPC / Web3)", "端口（P2P / RPC / Web3）"),
    "col_node_id": ("Node ID", "节点 ID"),
    "col_answers": ("Answered", "应答"),
    "col_last": ("Last height / view", "最后高度 / 视图"),
    "sealer_role": ("sealer {index}", "共识节点 {index}"),
    "observer_role": ("not a sealer", "非共识节点"),
    "byzantine": ("Byzantine: {mode}", "拜占庭：{mode}"),
    "byzantine_note": (
        "Nodes declared Byzantine are within f: what they say is no evidence against the others.",
        "声明为拜占庭的节点未超过 f：它们的陈述不作为对其他节点不利的证据。",
    ),
    "environment": ("Run and versions", "运行与版本"),
    "drill": ("Drill", "演练"),
    "engine": ("Engine", "引擎"),
    "node_version": ("Node version", "节点版本"),
    "tool_version": ("fiscotool version", "fiscotool 版本"),
    "chain": ("Chain / group", "链 / 群组"),
    "started": ("Started", "开始时间"),
    "length": ("Length", "时长"),
    "seconds": ("{value} s", "{value} 秒"),
    "protocol": ("Protocol", "协议"),
    "leader_period": ("Leader period", "领导者轮换周期"),
    "blocks": ("{value} blocks", "{value} 个区块"),
    "timeout_base": ("Consensus time-out", "共识超时"),
    "min_seal": ("Minimum sealing time", "最短出块时间"),
    "samples": ("Samples", "采样"),
    "samples_value": ("{count} ({errors} without an answer)", "{count} 次（其中 {errors} 次无应答）"),
    "configuration": ("Configuration", "配置"),
    "reproduce": ("Reproduce", "复现"),
    "reproduce_hint": ("The same run again:", "再次运行："),
    "no_command": ("The recording does not say which command made it.", "记录中没有生成它的命令。"),
    "copy": ("Copy", "复制"),
    "copied": ("Copied", "已复制"),
    "problems": ("Problems in the recording", "记录中的问题"),
    "no_problems": ("None: every line could be read.", "无：每一行均可读取。"),
    "appendix": ("Appendix: recording lines cited", "附录：引用的记录行"),
    "appendix_hint": ("The lines of the recording that the evidence above points at.", "上文证据所指的记录行。"),
    "no_citations": ("No line is cited.", "没有引用任何行。"),
    "more_citations": ("{count} more cited lines are not shown.", "另有 {count} 条引用行未显示。"),
    "sentence_gap": (" ", ""),
    "contents": ("Contents", "目录"),
    "appendix_short": ("Cited lines", "引用行"),
    "filter": ("Show by verdict", "按结论筛选"),
    "seconds_unit": ("s", "秒"),
    "legend_silent": ("no answer", "无应答"),
    "legend_timeout_short": ("in time-out", "超时中"),
    "chart_proposer": ("Proposer", "出块者"),
    "safety_means": ("nothing wrong is ever agreed", "绝不对错误的内容达成一致"),
    "durability_means": ("what was acknowledged stays", "已确认的不会丢失"),
    "liveness_means": ("the chain goes on", "链持续前进"),
    "conformance_means": ("what the nodes say fits what they do", "节点的陈述与实现相符"),
    "more_problems": ("… and {count} more.", "……另有 {count} 条。"),
    "theme": ("Light / dark", "浅色 / 深色"),
    "kind_kill": ("kill -9", "强制终止（kill -9）"),
    "kind_stop": ("stop", "停止"),
    "kind_restart": ("restart", "重启"),
    "kind_pause": ("freeze", "冻结"),
    "kind_wipe": ("data wiped", "清除数据"),
    "role_leader": (", the leader", "（领导者）"),
    "role_follower": (", a follower", "（跟随者）"),
    "role_leader_short": ("leader", "领导者"),
    "role_follower_short": ("follower", "跟随者"),
    "sample_word": ("poll", "采样"),
    "block_word": ("block", "区块"),
    "tx_word": ("transaction", "交易"),
    "fault_word": ("fault", "故障"),
    "footer": (
        "Made by fiscotool from a recording; this file loads nothing from anywhere.",
        ("由 fiscotool 根据记录生成；本文件不从任何地方加载内容。"),
    ),
}


def checked_lang(lang: str) -> Lang:
    """The language, or a usage error that names the ones there are."""
    for known in LANGS:
        if lang == known:
            return known
    raise UsageError(f"there is no report language {lang!r}", hint=f"use one of: {', '.join(LANGS)}")


class Speech:
    """Says things in one language."""

    def __init__(self, lang: str) -> None:
        self.lang = checked_lang(lang)
        self._at = LANGS.index(self.lang)

    def __call__(self, key: str, **values: object) -> str:
        """The words for `key`, with `values` filled in."""
        words = _WORDS[key][self._at]
        return words.format(**values) if values else words

    def pick(self, en: str, zh: str) -> str:
        """One of two sentences that came from elsewhere; English where the Chinese is missing."""
        return zh if self.lang == "zh" and zh else en

    def verdict(self, verdict: Verdict) -> str:
        """The verdict's word."""
        return self(verdict.value)

    def kind(self, kind: InvariantClass) -> str:
        """The class's word."""
        return self(kind.value)

    def fault_kind(self, kind: str) -> str:
        """A fault's name; one we have no word for is shown as recorded."""
        key = "kind_" + {"kill9": "kill", "sigkill": "kill", "sigstop": "pause", "freeze": "pause"}.get(kind.lower(), kind.lower())
        return self(key) if key in _WORDS else kind

    def fault_role(self, role: str, *, short: bool = False) -> str:
        """What the node was when it was hurt."""
        key = f"role_{role.lower()}" + ("_short" if short else "")
        return self(key) if key in _WORDS else role


def all_keys() -> tuple[str, ...]:
    """Every key, for the test that no word is missing or left untranslated."""
    return tuple(_WORDS)


def both(key: str) -> tuple[str, str]:
    """English and Chinese of one key."""
    return _WORDS[key]
