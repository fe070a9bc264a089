"""Lint: values that a node does not use, does not know, or does not start with.

Sources: spec 3.x 1.1 (constants), 4.6 and 4.7 (keys, defaults, ranges), 6.1; spec 2.x 4.5 to 4.7, 6.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from fiscotool.chain.findings import Finding, found
from fiscotool.chain.ini import Ini
from fiscotool.chain.lint_words import WORDS
from fiscotool.chain.settings_known import KNOWN, NUMBERED
from fiscotool.chain.survey import NodeSurvey, Survey

_SEAL_TIME_LONG_MS = 3000
_AUTH_ACCOUNT_FROM = (3, 3)
_VERSION = re.compile(r"v?(\d+)\.(\d+)(\.\d+)?")


@dataclass(frozen=True, slots=True)
class Ignored:
    """A setting without effect; `default` is what build_chain.sh writes, and no finding."""

    section: str
    key: str
    default: str
    why: str
    instead: str
    why_zh: str
    instead_zh: str


IGNORED_GENESIS_3 = (
    Ignored(
        "consensus", "consensus_timeout", "3000", "its timeout is 3000 ms, fixed at start (NodeConfig.cpp does not read the key)",
        "leave it at 3000; nothing in the files makes the timeout shorter",
        "超时固定为启动时的 3000 毫秒（NodeConfig.cpp 不读取该项）", "保持 3000；没有配置可以缩短超时",
    ),
)  # fmt: skip
IGNORED_CONFIG_3 = (
    Ignored(
        "txpool",
        "limit",
        "15000",
        "3.16 does not enforce it for transactions sent by RPC",
        "limit the rate of senders",
        "3.16 对 RPC 提交的交易不检查该上限",
        "限制发送方的速率",
    ),
    Ignored(
        "others",
        "send_tx_timeout",
        "-1",
        "it is read and never used",
        "use the timeout of the client",
        "读取后从未使用",
        "使用客户端的超时",
    ),
)
IGNORED_GROUP_2 = (
    Ignored("consensus", "block_size_increase_ratio", "0.5", "the ratio in effect is 1", "leave it out", "实际比例为 1", "删除该项"),
    Ignored(
        "storage",
        "max_retry",
        "60",
        "it was for external storage, gone since 2.3.0",
        "leave it as it is",
        "用于 2.3.0 起已取消的外部存储",
        "保持原样",
    ),
)


@dataclass(frozen=True, slots=True)
class Range:
    """A number a node refuses outside of `low` … `high` (None: no limit); `also` are further values it accepts."""

    section: str
    key: str
    low: int
    high: int | None = None
    also: tuple[int, ...] = ()

    @property
    def rule(self) -> str:
        """The rule as text."""
        span = f"{self.low} or more" if self.high is None else f"{self.low} to {self.high}"
        return f"{', '.join(map(str, self.also))} or {span}" if self.also else span

    def allows(self, number: int) -> bool:
        """Whether a node starts with it."""
        return number in self.also or (number >= self.low and (self.high is None or number <= self.high))


RANGES: dict[tuple[int, str], tuple[Range, ...]] = {
    (3, "config.ini"): (
        Range("consensus", "min_seal_time", 1, 600_000),
        Range("consensus", "checkpoint_timeout", 3000),
        Range("consensus", "pipeline_size", 50),
        Range("storage", "key_page_size", 4096, also=(0,)),
        Range("log", "max_log_file_size", 100),
        Range("txpool", "limit", 1),
    ),
    (3, "config.genesis"): (
        Range("consensus", "block_tx_count_limit", 1),
        Range("consensus", "leader_period", 1),
        Range("tx", "gas_limit", 100_001),
    ),
    (2, "config.ini"): (Range("chain", "id", 1),),
    (2, "group.ini"): (
        Range("sync", "max_block_sync_memory_size", 32),
        Range("sync", "gossip_interval_ms", 1000, 3000),
        Range("consensus", "prepare_status_broadcast_percent", 25, 100),
    ),
    (2, "genesis"): (Range("consensus", "max_trans_num", 1), Range("consensus", "consensus_timeout", 3)),
}
_ELSEWHERE_EMBEDDED = ("consensus", "pipeline_size")


def check_settings(survey: Survey) -> Iterator[Finding]:
    """Every setting of every node."""
    for node in survey.nodes:
        is_embedded = "fiscotool" in node.config
        for path, ini in node.inis.items():
            kind = path
            if path.startswith("conf/group."):
                kind = "genesis" if path.endswith("genesis") else "group.ini"
            yield from _check_known(node, path, kind, ini)
            for rule in RANGES[node.generation, kind]:
                if not (is_embedded and (rule.section, rule.key) == _ELSEWHERE_EMBEDDED):
                    yield from _check_range(node, path, ini, rule)
        yield from _check_ignored(node)
        yield from _check_single(node)


def _check_known(node: NodeSurvey, path: str, kind: str, ini: Ini) -> Iterator[Finding]:
    known = KNOWN[node.generation, kind]
    for section, settings in ini.items():
        if section == "fiscotool" or section.startswith("fiscotool_"):
            continue
        for key in settings:
            if key in known.get(section, frozenset()) or NUMBERED.fullmatch(f"{section}.{key}"):
                continue
            everywhere = [f"{each}.{name}" for each, names in known.items() for name in names]
            close = difflib.get_close_matches(f"{section}.{key}", everywhere, n=1, cutoff=0.75)
            likely = f"[{close[0].partition('.')[0]}] {close[0].partition('.')[2]}" if close else "-"
            yield found(WORDS, "setting-unknown", node.name, setting=f"[{section}] {key}", path=path, likely=likely)


def _check_range(node: NodeSurvey, path: str, ini: Ini, rule: Range) -> Iterator[Finding]:
    value = ini.get(rule.section, {}).get(rule.key)
    if value is None:
        return
    is_number = value.removeprefix("-").isascii() and value.removeprefix("-").isdigit()
    if not is_number or not rule.allows(int(value)):
        setting = f"[{rule.section}] {rule.key}"
        yield found(WORDS, "setting-refused", node.name, setting=setting, value=value or '""', rule=rule.rule, path=path)


def _check_ignored(node: NodeSurvey) -> Iterator[Finding]:
    if node.generation == 3:  # noqa: PLR2004 - FISCO BCOS 3
        checks = [(ini, IGNORED_GENESIS_3) for ini in node.genesis.values()] + [(node.config, IGNORED_CONFIG_3)]
    else:
        checks = [(ini, IGNORED_GROUP_2) for path, ini in node.inis.items() if path.endswith(".ini") and path != "config.ini"]
    for ini, settings in checks:
        for each in settings:
            value = ini.get(each.section, {}).get(each.key)
            if value is not None and value != each.default:
                yield found(
                    WORDS,
                    "setting-ignored",
                    node.name,
                    setting=f"[{each.section}] {each.key}",
                    value=value,
                    why=each.why,
                    instead=each.instead,
                )


def _check_single(node: NodeSurvey) -> Iterator[Finding]:
    seal = node.setting("consensus", "min_seal_time")
    if node.generation == 3 and seal.isdigit() and int(seal) >= _SEAL_TIME_LONG_MS:  # noqa: PLR2004
        yield found(WORDS, "seal-time-long", node.name, value=seal)
    genesis = node.genesis.get("config.genesis", {})
    version = _VERSION.fullmatch(genesis.get("version", {}).get("compatibility_version", ""))
    has_account = bool(genesis.get("executor", {}).get("auth_admin_account"))
    if version and not has_account and (int(version[1]), int(version[2])) >= _AUTH_ACCOUNT_FROM:
        yield found(
                WORDS, "setting-refused", node.name, setting="[executor] auth_admin_account", value='""', path="config.genesis",
                rule="an account, also with authority management off",
            )  # fmt: skip
