"""Is what a client was promised on the chain, once, and where it was told to be?

Theory. A receipt is a promise of durability: RPO 0. A transaction whose answer never came promises nothing; it may be on the chain
or not, but never twice.

Sources: spec 3.x 2.3 (`sendTransaction` answers after the commit), 2.5; docs/invariants.md.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from fiscotool.consistency.examination import Examination, Words, evidence
from fiscotool.consistency.facts import FOREVER, Facts
from fiscotool.consistency.findings import Evidence, Finding, Invariant, InvariantClass
from fiscotool.consistency.observations import TxSeen

TX_ONCE: Final = Invariant(
    "tx-once",
    InvariantClass.SAFETY,
    "No transaction twice",
    "没有交易重复上链",
    "No transaction hash stands twice on the chain, neither in two blocks nor in one.",
    "没有任何交易哈希在链上出现两次，无论在两个区块还是同一区块。",
    "bcos-txpool nonce checks; spec 3.x 2.5 (10000, 10005)",
)

TX_DURABLE: Final = Invariant(
    "tx-durable",
    InvariantClass.DURABILITY,
    "No acknowledged transaction lost (RPO 0)",
    "已确认的交易不丢失（RPO 为 0）",
    "Every transaction for which a node returned a receipt is in exactly one block, the one the receipt names, on every node that told "
    "that block.",
    "凡节点已返回回执的交易，都恰好在一个区块中，即回执所述的区块，且在每个给出该区块的节点上均如此。",
    "spec 3.x 2.3 sendTransaction; bcos-ledger",
)


def check_tx_once(facts: Facts) -> Finding:
    """Each hash at most once."""
    exam = Examination(TX_ONCE)
    for tx_hash, heights in facts.heights_of_tx.items():
        exam.checked_count += 1
        if len(heights) > 1:
            exam.breach(
                evidence(
                    Words(
                        f"Transaction {tx_hash[:12]}… stands {len(heights)} times on the chain, at heights {', '.join(map(str, heights))}.",
                        f"交易 {tx_hash[:12]}… 在链上出现 {len(heights)} 次，高度为 {'、'.join(map(str, heights))}。",
                    ),
                    height=heights[-1],
                    lines=tuple(facts.chain[height].line for height in heights),
                    tx_hash=tx_hash,
                )
            )
    return exam.finding(
        Words(f"{exam.checked_count} transactions, each once.", f"{exam.checked_count} 笔交易，每笔仅一次。"),
        Words("No block with a list of transactions was told.", "没有给出带交易列表的区块。"),
    )


def lost_transactions(facts: Facts) -> tuple[TxSeen, ...] | None:
    """Acknowledged transactions that are not where their receipt says; None if no told block could show it."""
    acknowledged = [tx for tx in facts.observations.txs if tx.outcome == "committed"]
    judged = [tx for tx in acknowledged if _is_block_known(facts, tx)]
    if acknowledged and not judged:
        return None
    return tuple(tx for tx in judged if _missing_on(facts, tx))


def check_tx_durable(facts: Facts) -> Finding:
    """Each acknowledged transaction in its block, everywhere."""
    # Who sent nothing was promised nothing: the rest of the run can be judged without this rule.
    exam = Examination(TX_DURABLE if facts.observations.txs else replace(TX_DURABLE, is_required=False))
    unread = 0
    for tx in facts.observations.txs:
        if tx.outcome != "committed":
            continue
        if not _is_block_known(facts, tx):
            unread += 1
            continue
        exam.checked_count += 1
        if missing := _missing_on(facts, tx):
            exam.breach(_lost(facts, tx, missing))
    if unread and not exam.checked_count:
        exam.cannot_tell(
            Words(
                f"{unread} transactions were acknowledged in blocks whose contents were not read.",
                f"{unread} 笔交易所在区块的内容未被读取。",
            )
        )
    elif unread:
        exam.cannot_tell(
            Words(
                f"{unread} of {unread + exam.checked_count} acknowledged transactions are in blocks whose contents were not "
                f"read; the others are there.",
                f"{unread + exam.checked_count} 笔已确认交易中有 {unread} 笔所在区块的内容未被读取；其余均在链上。",
            )
        )
    unknown = [tx for tx in facts.observations.txs if tx.outcome == "unknown"]
    if unknown:
        found = sum(1 for tx in unknown if tx.tx_hash in facts.heights_of_tx)
        exam.note(
            evidence(
                Words(
                    f"{len(unknown)} transactions got no answer; {found} of them are on the chain. Nothing was promised for them.",
                    f"{len(unknown)} 笔交易没有得到答复，其中 {found} 笔已上链。对它们没有任何承诺。",
                )
            )
        )
    return exam.finding(
        Words(f"{exam.checked_count} acknowledged transactions, all on the chain.", f"{exam.checked_count} 笔已确认交易全部在链上。"),
        Words("No transaction was acknowledged.", "没有已确认的交易。"),
    )


def _is_block_known(facts: Facts, tx: TxSeen) -> bool:
    """Whether the contents of the block its receipt names were read; a transaction found elsewhere is known too."""
    if tx.tx_hash in facts.heights_of_tx:
        return True
    if tx.block_number is None:
        # The receipt's height was not recorded: only a complete chain can show that it is missing.
        heights = list(facts.chain)
        return (
            bool(heights) and heights == list(range(heights[0], heights[-1] + 1)) and all(b.tx_hashes_known for b in facts.chain.values())
        )
    block = facts.chain.get(tx.block_number)
    if block is None:
        # A block that was acknowledged and that its own node later no longer has is lost with all its transactions.
        later = [s.height for s in facts.samples_of.get(tx.node, ()) if s.height is not None and s.sent_s > tx.got_s]
        return bool(later) and later[-1] < tx.block_number and facts.first_shown_s(tx.block_number) == FOREVER
    return block.tx_hashes_known


def _missing_on(facts: Facts, tx: TxSeen) -> tuple[str, ...]:
    """What is wrong with an acknowledged transaction: the nodes whose telling lacks it, or `chain` if it stands elsewhere."""
    heights = facts.heights_of_tx.get(tx.tx_hash, ())
    if not heights or (tx.block_number is not None and tx.block_number not in heights):
        return ("chain",)
    told = facts.told_at.get(heights[0], ())
    return tuple(sorted({block.node for block in told if block.tx_hashes_known and tx.tx_hash not in block.tx_hashes}))


def _lost(facts: Facts, tx: TxSeen, missing: tuple[str, ...]) -> Evidence:
    heights = facts.heights_of_tx.get(tx.tx_hash, ())
    short = tx.tx_hash[:12] + "…"
    if not heights:
        words = Words(
            f"Transaction {short}, acknowledged by {tx.node} in block {tx.block_number}, is on no block.",
            f"交易 {short} 已由 {tx.node} 确认在区块 {tx.block_number} 中，却不在任何区块里。",
        )
    elif missing == ("chain",):
        words = Words(
            f"Transaction {short}, acknowledged by {tx.node} in block {tx.block_number}, stands in block {heights[0]}.",
            f"交易 {short} 已由 {tx.node} 确认在区块 {tx.block_number} 中，实际却在区块 {heights[0]}。",
        )
    else:
        words = Words(
            f"Transaction {short} is in block {heights[0]}, but not as {', '.join(missing)} tells it.",
            f"交易 {short} 在区块 {heights[0]} 中，但 {'、'.join(missing)} 给出的该区块不含它。",
        )
    block = facts.chain.get(heights[0] if heights else (tx.block_number or 0))
    return evidence(
        words,
        node=tx.node if missing == ("chain",) else missing[0],
        height=tx.block_number,
        lines=(tx.line, block.line if block else 0),
        tx_hash=tx.tx_hash,
    )
