"""What an audit looks for and what it says: tasks, findings, verdict. Values only; they travel between processes.

Kinds of findings: those of ledger.evidence (malformed, hash, signature, quorum, txs-root, transaction, receipts-root), and

    parent       a block does not name the block below as its parent
    genesis      block 1 is sealed by somebody whom the genesis block does not name
    missing      a node does not have a block (or receipt) below its own height
    difference   these nodes tell another block than the first node; the lowest such height is named, the others are counted
    rewritten    a block is not the one that an earlier run of the same audit verified
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from fiscotool.rpc.tls import TlsFiles

DEPTHS: Final = ("headers", "roots", "all")
"""headers: hashes, parents, signatures. roots: also transaction hashes. all: also whole transactions and receipts."""

FINDINGS_MAX: Final = 200
"""How many findings are kept in full; all are counted."""


@dataclass(frozen=True, slots=True)
class NodeAddress:
    """How to ask one node. `group` "" means its first one."""

    name: str
    url: str
    group: str = ""
    tls: TlsFiles | None = None
    timeout_s: float = 10.0


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What a node said of itself when the audit began. `version` of its binary, `compatibility` of its chain ("2.9.0", "3.16.0")."""

    name: str
    height: int
    dialect: str
    version: str
    compatibility: str
    chain_id: str
    is_national: bool
    genesis_hash: str


@dataclass(frozen=True, slots=True)
class AuditFinding:
    """One thing that is wrong, at one height, as these nodes tell it."""

    kind: str
    height: int
    nodes: tuple[str, ...]
    text: str

    @property
    def words(self) -> str:
        """One line."""
        return f"block {self.height} of {', '.join(self.nodes)}: {self.kind}: {self.text}"


@dataclass(frozen=True, slots=True)
class SealerChange:
    """From `height` on another sealer list. Ids are hex. Legal if a transaction below said so; an auditor may want to know."""

    height: int
    added: tuple[str, ...]
    removed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AuditedNode:
    """A node whose blocks up to `height` are verified in full."""

    address: NodeAddress
    height: int


@dataclass(frozen=True, slots=True)
class RangeTask:
    """Blocks `first`…`last` to be verified at each of `nodes` (as far as it has them).

    `depth` is one of DEPTHS. `known_roots`, `has_remain_gas`: what the chain's version says of roots and receipts.
    """

    first: int
    last: int
    nodes: tuple[AuditedNode, ...]
    depth: str
    known_roots: bool = True
    has_remain_gas: bool = True


def is_news(findings: Iterable[AuditFinding], others: tuple[str, ...]) -> bool:
    """Whether one of these nodes was not yet found to differ."""
    return bool(set(others) - {name for item in findings if item.kind == "difference" for name in item.nodes})


@dataclass(slots=True)
class RangeResult:
    """What came out. `telling_count` blocks were looked at, counting each node's.

    `lost`: nodes that did not answer, with the height and the reason. `verified`: the last block looked at, by node, and its hash;
    `before`: the block below the range. `national`: the reason why nothing can be verified, or "".
    """

    first: int
    last: int
    telling_count: int = 0
    signature_count: int = 0
    tx_count: int = 0
    receipts_count: int = 0
    finding_counts: Counter[str] = field(default_factory=Counter)
    findings: list[AuditFinding] = field(default_factory=list)
    changes: list[SealerChange] = field(default_factory=list)
    lost: dict[str, tuple[int, str]] = field(default_factory=dict)
    verified: dict[str, tuple[int, str]] = field(default_factory=dict)
    before: dict[str, tuple[int, str]] = field(default_factory=dict)
    national: str = ""

    def differ(self, height: int, others: tuple[str, ...], text: str) -> None:
        """`others` tell another block than the first node. Chains that parted stay so: only where they part is kept, the rest counted."""
        if is_news(self.findings, others):
            self.find("difference", height, others, text)
        else:
            self.finding_counts["difference"] += 1

    def find(self, kind: str, height: int, nodes: tuple[str, ...], text: str) -> None:
        """Something is wrong. The same at the same height on another node joins it."""
        for place, known in enumerate(self.findings):
            if (known.kind, known.height, known.text) == (kind, height, text):
                self.findings[place] = AuditFinding(kind, height, (*known.nodes, *nodes), text)
                return
        self.finding_counts[kind] += 1
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(AuditFinding(kind, height, nodes, text))


@dataclass(slots=True)
class Audit:
    """The state of an audit: everything below `next_height` has been looked at, and each of `nodes` up to its `verified` height.

    `nodes` are those whose blocks are all verified, whether they answer or not; `compared` those that are compared with them only.
    `problems` are why something could not be verified.
    """

    chain: Mapping[str, str]
    from_height: int
    to_height: int
    next_height: int
    depth: str
    nodes: tuple[str, ...]
    compared: tuple[str, ...] = ()
    telling_count: int = 0
    signature_count: int = 0
    tx_count: int = 0
    receipts_count: int = 0
    finding_counts: Counter[str] = field(default_factory=Counter)
    findings: list[AuditFinding] = field(default_factory=list)
    changes: list[SealerChange] = field(default_factory=list)
    verified: dict[str, tuple[int, str]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def block_count(self) -> int:
        """Heights looked at."""
        return self.next_height - self.from_height

    @property
    def resume_height(self) -> int:
        """From where another run has to go on: a node may have been lost, or be behind the others."""
        floor = self.from_height - 1
        return max(floor, min((self.verified.get(name, (floor, ""))[0] for name in self.nodes), default=floor)) + 1

    @property
    def is_done(self) -> bool:
        """Whether every block that was asked for has been looked at."""
        return self.next_height > self.to_height

    @property
    def verdict(self) -> str:
        """violated: something is wrong; inconclusive: something could not be verified; holds."""
        if self.finding_counts:
            return "violated"
        return "holds" if self.is_done and self.block_count and not self.problems else "inconclusive"

    def add(self, finding: AuditFinding) -> None:
        """Something is wrong."""
        self.finding_counts[finding.kind] += 1
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(finding)

    def take(self, result: RangeResult) -> None:
        """The next range, in order of height."""
        self.telling_count += result.telling_count
        self.signature_count += result.signature_count
        self.tx_count += result.tx_count
        self.receipts_count += result.receipts_count
        for name, (height, told) in result.before.items():
            known_height, known = self.verified.get(name, (-1, ""))
            if known_height == height and known != told:
                text = f"it is 0x{told[:16]}… now, and was 0x{known[:16]}… when it was verified before"
                self.add(AuditFinding("rewritten", height, (name,), text))
        self.finding_counts += result.finding_counts
        for item in result.findings:
            if item in self.findings:
                self.finding_counts[item.kind] -= 1
            elif len(self.findings) < FINDINGS_MAX and (item.kind != "difference" or is_news(self.findings, item.nodes)):
                self.findings.append(item)
        self.changes += [change for change in result.changes if change not in self.changes]
        self.verified |= result.verified
        self.next_height = result.last + 1

    def as_json(self) -> dict[str, Any]:
        """Plain data, for `--json` and for the state file."""
        return {
            "verdict": self.verdict,
            "chain": dict(self.chain),
            "from": self.from_height,
            "to": self.to_height,
            "depth": self.depth,
            "nodes": list(self.nodes),
            "compared": list(self.compared),
            "blocks": self.block_count,
            "tellings": self.telling_count,
            "signatures": self.signature_count,
            "transactions": self.tx_count,
            "receipts": self.receipts_count,
            "finding_counts": dict(self.finding_counts),
            "findings": [
                {"kind": item.kind, "height": item.height, "nodes": list(item.nodes), "text": item.text} for item in self.findings
            ],
            "sealer_changes": [{"height": item.height, "added": list(item.added), "removed": list(item.removed)} for item in self.changes],
            "verified": {name: [height, told] for name, (height, told) in self.verified.items()},
            "problems": self.problems,
            "notes": self.notes,
        }
