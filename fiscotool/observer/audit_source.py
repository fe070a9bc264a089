"""Asking one node for what an audit verifies: its blocks as told, their receipts, and what it is.

Rule 1. A question that gets no answer is asked again, a few times, with growing pauses: a node may be restarting. Then the node is lost.
Rule 2. A refusal is an answer: the node does not have the block. What is no block is an answer, too.
Rule 3. Everything is taken as the node told it; nothing is dropped or corrected on the way.

Sources: spec 3.x 2.3, 2.4; spec 2.x 2.1; fiscotool.rpc.any_client.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Self, TypeVar

from fiscotool.errors import MalformedAnswer, OutcomeUnknown, Refused, RpcError, Unreachable
from fiscotool.observer.audit_words import NodeAddress, NodeFacts
from fiscotool.rpc.any_client import AnyClient
from fiscotool.rpc.dialect import Dialect
from fiscotool.rpc.neutral import NodeReader

_PAUSES_S: Final = (0.2, 0.6, 1.8)
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Told:
    """A node's answer about one height. Either `block` is there, or `problem` says why not; `lost`: because nothing answered.

    `receipts` are all of the block's, in order, if they were asked for.
    """

    block: dict[str, Any] | None
    receipts: list[dict[str, Any]] | None = None
    problem: str = ""
    kind: str = ""

    @property
    def is_lost(self) -> bool:
        """Whether the node did not answer at all."""
        return self.kind == "lost"


class NodeSource:
    """One node, asked for blocks. Safe from several threads."""

    def __init__(self, address: NodeAddress) -> None:
        self.address = address
        self._client = AnyClient(address.url, group=address.group, timeout_s=address.timeout_s, tls=address.tls, name=address.name)
        self._lost = ""
        self._closed = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Drop connections, and ask nobody again who does not answer."""
        self._closed.set()
        self._client.close()

    def _insist(self, question: Callable[[], _Answer]) -> _Answer:
        """Rule 1. Raises what the last try raised."""
        for pause_s in _PAUSES_S:
            try:
                return question()
            except Unreachable:
                self._closed.wait(pause_s)
            except (OutcomeUnknown, MalformedAnswer):
                # It took its whole time limit already, or it was answered: once more, not more often.
                break
        return question()

    def facts(self) -> NodeFacts:
        """What the node is. Asked once, without insisting: raises RpcError."""
        node = self._client.node
        told = node.version()
        genesis = node.block(0, only_header=True).block_hash
        return NodeFacts(
            self.address.name,
            node.block_number(),
            str(told.dialect),
            told.version,
            told.compatibility,
            told.chain_id,
            told.kind == "sm",
            genesis.removeprefix("0x").lower(),
        )

    def stored_genesis_hash(self) -> str:
        """The hash of block 0 as the node keeps it, hex: on 3.x another one than its header's (recorded)."""
        return self._insist(lambda: self._client.block_hash(0)).removeprefix("0x").lower()

    def told(self, number: int, depth: str = "headers") -> Told:
        """Block `number` with as much as `depth` wants (audit_words.DEPTHS).

        Once the node is lost, it is not asked again until `begin`.
        """
        if self._lost:
            return Told(None, problem=self._lost, kind="lost")
        try:
            block = self._insist(lambda: self._client.block(number, only_header=depth == "headers", only_hashes=depth != "all")).told
            return Told(block, self._receipts(block) if depth == "all" else None)
        except Refused as refusal:
            return Told(None, problem=f"the node does not have it: {refusal.message}", kind="missing")
        except MalformedAnswer as problem:
            return Told(None, problem=problem.message, kind="malformed")
        except RpcError as problem:
            self._lost = problem.message
            return Told(None, problem=problem.message, kind="lost")

    def begin(self) -> None:
        """A node that was lost may be back."""
        self._lost = ""

    def _receipts(self, block: dict[str, Any]) -> list[dict[str, Any]]:
        node = self._client.node
        found: list[dict[str, Any]] = []
        for item in block.get("transactions") or []:
            tx_hash = item.get("hash") if isinstance(item, dict) else item
            told = self._insist(partial(node.call, "getTransactionReceipt", _receipt_params(node, tx_hash)))
            if not isinstance(told, dict):
                raise MalformedAnswer(f"{self.address.name} has no receipt of {tx_hash}", node=self.address.name)
            found.append(told)
        return found


def _receipt_params(node: NodeReader, tx_hash: Any) -> list[Any]:
    return [int(node.group), tx_hash] if node.dialect is Dialect.FISCO2 else [node.group, "", tx_hash, False]
