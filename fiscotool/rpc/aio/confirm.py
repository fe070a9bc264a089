"""What became of transactions that pools have taken: read off the blocks, not asked for one by one.

Rule 1. Every node is asked for its height, each on its own; each new block is asked once, of the first node that tells it has it. So a
        node that is frozen, cut off or behind delays nothing.
Rule 2. A transaction is committed when a block lists it. 2.x tells all receipts of a block at once, and with them the status; where a
        node does not, and on the Ethereum port, the status is not told.
Rule 3. A transaction in no block `within_s` after it was sent is unknown: its pool may still hold it.

A load costs five questions a second a node here, and one or two a block, however many transactions it has.

Sources: spec 2.x 2.1 (sendRawTransaction, getBatchReceiptsByBlockNumberAndRange); spec 3.x 2.6.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from fiscotool.errors import MalformedAnswer, Refused
from fiscotool.rpc.aio.connection import Address, Failure
from fiscotool.rpc.aio.link import NodeLink
from fiscotool.rpc.aio.plan import LoadTarget, TxKind, TxOutcome
from fiscotool.rpc.codec import Asked, encode_request, parse_answer
from fiscotool.rpc.dialect import Dialect
from fiscotool.rpc.members import UnexpectedShape, as_quantity
from fiscotool.rpc.refusals import MethodNotFound

EVERY_S: Final = 0.2
_ASK_S: Final = 3.0
_EARLY_MAX: Final = 50_000
_ID: Final = 1


def plain(tx_hash: str) -> str:
    """A hash as it is compared: lower-case hex without 0x."""
    return tx_hash.lower().removeprefix("0x")


class Confirmer:
    """Belongs to the loop of a load. `on_outcome` is told of every transaction that was taken, once."""

    def __init__(
        self,
        targets: Sequence[tuple[LoadTarget, Address]],
        *,
        within_s: float,
        on_outcome: Callable[[TxOutcome], None],
        clock: Callable[[], float],
    ) -> None:
        self._targets = [(target, NodeLink(address)) for target, address in targets]
        self._kind = targets[0][0].kind
        self._within_s = within_s
        self._on_outcome = on_outcome
        self._clock = clock
        self._pending: dict[str, TxOutcome] = {}
        self._early: dict[str, tuple[int, int | None]] = {}
        self._next: int | None = None
        self._tells_receipts = self._kind is TxKind.NATIVE2
        self._is_ready = asyncio.Event()
        self._reading = asyncio.Lock()

    @property
    def pending_count(self) -> int:
        """Transactions of which it is not known what became."""
        return len(self._pending)

    def take(self, accepted: TxOutcome) -> None:
        """A pool has this transaction."""
        key = plain(accepted.tx_hash)
        early = self._early.pop(key, None)
        if early is None:
            self._pending[key] = accepted
        else:
            self._settle(accepted, *early)

    async def start(self) -> asyncio.Task[None]:
        """Begin to follow the chain. Returns when its height is known, or cannot be known in time."""
        task = asyncio.create_task(self._run())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._within_s):
                await self._is_ready.wait()
        return task

    async def _run(self) -> None:
        """Until cancelled. What a listener raises is raised here."""
        watches = (self._watch(target, link, EVERY_S * index / len(self._targets)) for index, (target, link) in enumerate(self._targets))
        await asyncio.gather(self._expire(), *watches)

    async def _expire(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            self.give_up(self._clock() - self._within_s)

    async def _watch(self, target: LoadTarget, link: NodeLink, after_s: float) -> None:
        await asyncio.sleep(after_s)
        while True:
            with contextlib.suppress(MalformedAnswer, Refused, UnexpectedShape, _Unanswered):
                await self._follow(target, link)
            await asyncio.sleep(EVERY_S)

    def give_up(self, sent_before_s: float = float("inf"), why: str = "") -> None:
        """What was sent before then and stands in no block is unknown."""
        for key in [key for key, outcome in self._pending.items() if outcome.sent_clock_s < sent_before_s]:
            outcome = self._pending.pop(key)
            reason = why or f"accepted by the pool, and in no block within {self._within_s:g} s"
            self._on_outcome(replace(outcome, outcome="unknown", got_clock_s=self._clock(), error=reason))

    def close(self) -> None:
        """Drop connections."""
        for _, link in self._targets:
            link.close()

    # Reading the chain

    async def _follow(self, target: LoadTarget, link: NodeLink) -> None:
        """Read what is new of one node."""
        height = await self._height(target, link)
        if self._next is None:
            self._next = height + 1
        self._is_ready.set()
        async with self._reading:
            while self._next <= height:
                for tx_hash, status in await self._block(target, link, self._next):
                    self._seen(plain(tx_hash), self._next, status)
                self._next += 1

    async def _height(self, target: LoadTarget, link: NodeLink) -> int:
        method, params = ("eth_blockNumber", []) if self._kind is TxKind.ETHEREUM else ("getBlockNumber", [int(target.group)])
        return as_quantity(await self._ask(link, method, params), "the height")

    async def _block(self, target: LoadTarget, link: NodeLink, number: int) -> list[tuple[str, int | None]]:
        """(hash, status) of the block's transactions."""
        if self._kind is TxKind.ETHEREUM:
            return list(_listed(await self._ask(link, "eth_getBlockByNumber", [hex(number), False])))
        group, text = int(target.group), str(number)
        if self._tells_receipts:
            try:
                batch = await self._ask(link, "getBatchReceiptsByBlockNumberAndRange", [group, text, "0", "-1", False])
                return list(_receipts(batch))
            except MethodNotFound:
                self._tells_receipts = False
        return list(_listed(await self._ask(link, "getBlockByNumber", [group, text, False])))

    async def _ask(self, link: NodeLink, method: str, params: list[Any]) -> Any:
        answer = await link.post(link.address.http_request(encode_request(method, params, _ID)), _ASK_S)
        if isinstance(answer, Failure):
            raise _Unanswered
        dialect = Dialect.ETHEREUM if self._kind is TxKind.ETHEREUM else Dialect.FISCO2
        return parse_answer(answer, Asked(method, _ID, "", dialect))

    def _seen(self, key: str, number: int, status: int | None) -> None:
        accepted = self._pending.pop(key, None)
        if accepted is not None:
            self._settle(accepted, number, status)
        else:
            # It may stand in a block before the pool's answer is read here; most of these are of other clients.
            self._early[key] = (number, status)
            if len(self._early) > _EARLY_MAX:
                del self._early[next(iter(self._early))]

    def _settle(self, accepted: TxOutcome, number: int, status: int | None) -> None:
        self._on_outcome(replace(accepted, outcome="committed", got_clock_s=self._clock(), block_number=number, status=status))


class _Unanswered(Exception):  # a node that does not answer is asked again, or another is
    """No answer came."""


def _listed(block: Any) -> Iterator[tuple[str, int | None]]:
    listed = block.get("transactions") if isinstance(block, dict) else None
    if not isinstance(listed, list):
        raise UnexpectedShape("the block lists no transactions")
    for item in listed:
        tx_hash = item.get("hash") if isinstance(item, dict) else item
        if isinstance(tx_hash, str):
            yield tx_hash, None


def _receipts(batch: Any) -> Iterator[tuple[str, int | None]]:
    listed = batch.get("transactionReceipts") if isinstance(batch, dict) else None
    if not isinstance(listed, list):
        raise UnexpectedShape("the block tells no receipts")
    for item in listed:
        if isinstance(item, dict) and isinstance(item.get("transactionHash"), str):
            yield item["transactionHash"], as_quantity(item.get("status"), "the status")
