"""All honest ledgers together: one block a height, one configuration after it, and signatures of a quorum on what was fetched.

Rule 1. `agreement`: what honest nodes wrote, or were born with, at a height has one hash; and the members, weights and leader's period in
        force after it are the same.
Rule 2. `synced`: the signers of a block that came by synchronisation are distinct sealers with weight of a quorum, and each signature is
        one that its signer made at that height; in fisco3 and fisco2, where a vote names the block's hash, for this hash.

The judge has no cryptography: a signature is known when its signer's vote with it was seen by anybody.

Sources: observables 3.1, B1, B5, B24; spec 3.x 1.16.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fiscotool.check.replay_verdict import Finding
from fiscotool.pbft.codec_life import Synced
from fiscotool.pbft.messages import CheckPoint, Commit
from fiscotool.pbft.quorum import quorum_weight
from fiscotool.pbft.rules import Rules

__all__ = ["Ledgers"]


class Ledgers:
    """What is known of all ledgers; the nodes are judged one after the other."""

    def __init__(self, dialect: str) -> None:
        self._names_block = dialect != "classic"
        self._vote = CheckPoint if dialect == "fisco3" else Commit
        self._blocks: dict[int, tuple[str, bytes]] = {}
        self._configs: dict[int, tuple[str, tuple[object, ...]]] = {}
        self._votes: dict[tuple[bytes, int, bytes], bytes] = {}
        self._synced: list[tuple[str, int, int, Synced, Rules]] = []

    def block(self, node: str, life: int, step: int, height: int, block_hash: bytes) -> Iterator[Finding]:
        """A block in an honest ledger."""
        first = self._blocks.setdefault(height, (node, block_hash))
        if first[1] != block_hash:
            text = f"block {height} is {block_hash.hex()[:8]} here and {first[1].hex()[:8]} at {first[0]}"
            yield Finding("agreement", node, life, step, text)

    def config(self, node: str, life: int, step: int, height: int, rules: Rules) -> Iterator[Finding]:
        """The rules in force after a height."""
        now = (rules.weights, rules.members, rules.leader_period_blocks)
        first = self._configs.setdefault(height, (node, now))
        if first[1] != now:
            yield Finding(
                "agreement", node, life, step, f"after height {height} other members, weights or periods are in force than at {first[0]}"
            )

    def vote(self, sender: bytes, message: CheckPoint | Commit) -> None:
        """A vote that somebody received."""
        if type(message) is self._vote and message.signature:
            self._votes[sender, message.index, message.signature] = message.digest

    def synced(self, node: str, life: int, step: int, record: Synced, rules: Rules) -> None:
        """A block that came by synchronisation."""
        self._synced.append((node, life, step, record, rules))

    def findings(self, whole: Sequence[bytes]) -> Iterator[Finding]:
        """Rule 2, once all votes are known. `whole` are the honest nodes whose votes are all known."""
        for node, life, step, record, rules in self._synced:
            reason = self._objection(record, rules, whole)
            if reason:
                yield Finding("synced", node, life, step, f"took block {record.index} {record.block_hash.hex()[:8]} from others: {reason}")

    @property
    def synced_count(self) -> int:
        """How many blocks came by synchronisation."""
        return len(self._synced)

    def _objection(self, record: Synced, rules: Rules, whole: Sequence[bytes]) -> str:
        signers = [signer for signer, _ in record.signatures]
        if len(set(signers)) != len(signers) or any(not 0 <= signer < rules.node_count for signer in signers):
            return f"its signers {signers} are no distinct sealers"
        weight, quorum = sum(rules.weights[signer] for signer in signers), quorum_weight(sum(rules.weights))
        if weight < quorum:
            return f"signed with weight {weight} by {signers}, a quorum is {quorum}"
        for signer, signature in record.signatures:
            who = rules.members[signer] if rules.members else b""
            digest = self._votes.get((who, record.index, signature))
            if digest is None and who in whole:
                return f"sealer {signer} never made the signature it shows"
            if digest is not None and self._names_block and digest != record.block_hash:
                return f"the signature of sealer {signer} is for {digest.hex()[:8]}"
        return ""
